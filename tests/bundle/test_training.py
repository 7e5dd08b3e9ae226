"""Label-free training from the configs: what it leaves, what it opens, how it goes on and when it stops."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from s3net_monai.engines.resume import latest_checkpoint
from s3net_monai.utils.messages import first_cause

pytestmark = pytest.mark.parametrize("bundle", ["lung", "skin"], indirect=True, scope="session")


def weights(folder: Path, name: str = "model.pt") -> dict[str, torch.Tensor]:
    return torch.load(folder / name, map_location="cpu", weights_only=True)


def logged(folder: Path) -> set[str]:
    """Tags of the scalars in all TensorBoard event files of a folder."""
    tags: set[str] = set()
    for file in folder.glob("events.out.tfevents.*"):
        events = EventAccumulator(str(file))
        events.Reload()
        tags |= set(events.Tags()["scalars"])
    return tags


def check_results(bundle: Any, folder: Path, epoch: int) -> None:
    """The folder holds weights that fit the network, the checkpoint of the epoch, and curves."""
    state = weights(folder)
    assert set(state["cluster_class"].tolist()) == {0, 1}
    parser = bundle.parser("inference")
    parser.update(bundle.small_network)
    parser.get_parsed_content("network_def").load_state_dict(state, strict=True)
    assert latest_checkpoint(folder)[0] == folder / f"checkpoint_epoch={epoch}.pt"
    assert {"train_loss", "cluster_information"} <= logged(folder)


@pytest.fixture(scope="module")
def trained(bundle: Any, unlabeled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of one epoch."""
    output = tmp_path_factory.mktemp("trained")
    bundle.train(unlabeled, output)
    return output


@pytest.mark.slow
def test_run_from_the_bundle_folder(
    bundle: Any, unlabeled: Path, tmp_path: Path, monai_bundle: Callable[..., str]
) -> None:
    """With nothing said about folders, data/ is read and eval/ is written."""
    root = tmp_path / bundle.root.name
    shutil.copytree(bundle.root, root)
    shutil.copytree(unlabeled, root / "data")
    overrides = bundle.small_training(Path(), Path())
    for key in ("bundle_root", "dataset_dir", "output_dir"):
        del overrides[key]
    before = (root / "models" / "model.pt").read_bytes()
    printed = monai_bundle(cwd=root, config_file="configs/train.json", **overrides)
    check_results(bundle, root / "eval", epoch=1)
    assert printed.count("train_loss:") == 1, "the loss is printed once an epoch"
    assert (root / "models" / "model.pt").read_bytes() == before, "the released weights stay until a user replaces them"


@pytest.mark.slow
def test_run_training_from_elsewhere_goes_on(
    bundle: Any, unlabeled: Path, trained: Path, tmp_path: Path, monai_bundle: Callable[..., str]
) -> None:
    output = tmp_path / "output"
    shutil.copytree(trained, output)
    overrides = bundle.small_training(unlabeled, output, max_epochs=2, resume=True)
    printed = monai_bundle("training", cwd=tmp_path, config_file=bundle.config_file("train"), **overrides)
    check_results(bundle, output, epoch=2)
    assert "Epoch [2/2]" in printed
    assert "Epoch [1/2]" not in printed
    assert "changed since, and from now on as configured: max_epochs 2 (was 1), T_max 2 (was 1)" in printed
    assert "unable to load" not in printed
    assert "cluster_information: 0.0000" not in printed
    command = f"s3net segment IMAGES --task {bundle.task} --checkpoint {output}/model.pt --output MASKS"
    assert printed.splitlines()[-1].endswith(f"weights: {output}/model.pt; use them: {command}")
    assert [path.name for path in tmp_path.iterdir()] == ["output"], "nothing may appear in the working directory"


def test_no_file_below_labels_is_opened(bundle: Any, labeled: Path, tmp_path: Path, opened: list[str]) -> None:
    bundle.train(labeled, tmp_path)
    assert [path for path in opened if "/images/" in path], "the hook must see the images"
    assert [path for path in opened if f"{labeled}/labels" in path] == []


def test_loss_teaches_every_parameter(trained: Path, bundle: Any) -> None:
    """AdamW's first moment is zero where no gradient ever came."""
    checkpoint = weights(trained, "checkpoint_epoch=1.pt")
    moments = [state["exp_avg"].abs().max() for state in checkpoint["optimizer"]["state"].values()]
    assert len(moments) == len(checkpoint["optimizer"]["param_groups"][0]["params"])
    # A bias before a normalization has no influence, so no gradient either.
    assert sum(moment > 0 for moment in moments) > 0.7 * len(moments)


def test_resume_goes_on_at_the_next_epoch(bundle: Any, unlabeled: Path, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "resumed"
    shutil.copytree(trained, folder)
    first = weights(folder, "checkpoint_epoch=1.pt")
    epochs: list[int] = []
    workflow = bundle.workflow("train", **bundle.small_training(unlabeled, folder, max_epochs=3, resume=True))
    workflow.initialize()
    trainer = workflow.parser.get_parsed_content("train#trainer")
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: epochs.append(engine.state.epoch))
    workflow.run()
    last = weights(folder, "checkpoint_epoch=3.pt")
    assert epochs == [2, 3]
    assert trainer.state.epoch == 3
    assert last["trainer"]["iteration"] == 3 * first["trainer"]["iteration"]
    steps = [max(state["step"] for state in part["optimizer"]["state"].values()) for part in (first, last)]
    assert steps[1] == 3 * steps[0], "the optimizer forgot its state"


def test_resume_keeps_better_weights(bundle: Any, unlabeled: Path, trained: Path, tmp_path: Path) -> None:
    """A score above all that follow is written into the checkpoint: the weights of before must stay."""
    folder = tmp_path / "resumed"
    shutil.copytree(trained, folder)
    checkpoint = weights(folder, "checkpoint_epoch=1.pt")
    ((_, name),) = checkpoint["best"]["_saved"]
    checkpoint["best"]["_saved"] = [(1e9, name)]
    torch.save(checkpoint, folder / "checkpoint_epoch=1.pt")
    bundle.train(unlabeled, folder, max_epochs=2, resume=True)
    assert weights(folder, "checkpoint_epoch=2.pt")["trainer"]["iteration"] > checkpoint["trainer"]["iteration"]
    assert (folder / "model.pt").read_bytes() == (trained / "model.pt").read_bytes()


def test_resume_without_a_checkpoint_says_so(bundle: Any, unlabeled: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Failed to") as caught:
        bundle.train(unlabeled, tmp_path, resume=True)
    causes = []
    error: BaseException | None = caught.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__
    assert any("no checkpoint*.pt to resume from" in cause for cause in causes)


def test_resume_takes_the_length_and_the_rates_of_today(
    bundle: Any, unlabeled: Path, trained: Path, tmp_path: Path
) -> None:
    """One epoch was trained to its end, at a rate of 0: four more end the schedule of five epochs, three iterations."""
    folder = tmp_path / "resumed"
    shutil.copytree(trained, folder)
    more = {"max_epochs": 5, "train#trainer#epoch_length": 3, "early_stop_patience": 9}
    workflow = bundle.train(unlabeled, folder, resume=True, **more)
    schedule = workflow.parser.get_parsed_content("lr_scheduler")
    assert (schedule.last_epoch, schedule.T_max) == (5, 5)
    assert schedule.get_last_lr() == pytest.approx([0.0], abs=1e-9)
    assert workflow.parser.get_parsed_content("train#trainer").state.iteration == 5 * 3


def test_resume_passes_over_a_damaged_checkpoint(bundle: Any, unlabeled: Path, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "resumed"
    shutil.copytree(trained, folder)
    content = (folder / "checkpoint_epoch=1.pt").read_bytes()
    (folder / "checkpoint_epoch=2.pt").write_bytes(content[:2000])
    workflow = bundle.train(unlabeled, folder, max_epochs=2, resume=True)
    assert workflow.parser.get_parsed_content("train#trainer").state.epoch == 2
    assert weights(folder, "checkpoint_epoch=2.pt")["trainer"]["max_epochs"] == 2


def test_a_loss_that_diverges_ends_the_run_and_is_not_saved(bundle: Any, unlabeled: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        bundle.train(unlabeled, tmp_path, learning_rate=1e30, max_epochs=3)
    assert "iteration 2 (epoch 1): the loss is nan" in str(first_cause(caught.value))
    assert list(tmp_path.glob("*.pt")) == []


@pytest.mark.parametrize("overrides", [{}, {"cache_rate": 0.0, "num_workers": 1}], ids=["cached", "in workers"])
def test_all_unreadable_images_are_named_before_training(
    bundle: Any, unlabeled: Path, tmp_path: Path, overrides: dict[str, Any]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(unlabeled, data)
    listed = json.loads((data / "datalist.json").read_text())["training"]
    broken = [listed[0], listed[2]]
    for case in broken:
        path = data / case["image"]
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RuntimeError) as caught:
        bundle.train(data, tmp_path / "output", **overrides)
    heading, *lines = str(first_cause(caught.value)).splitlines()
    assert heading == "2 of 3 cases cannot be used; repair them, or take them out of the data:"
    assert [line.split(":")[0] for line in lines] == [case["case_id"] for case in broken]
    assert list((tmp_path / "output").glob("*.pt")) == []


def test_same_seed_same_weights(bundle: Any, unlabeled: Path, trained: Path, tmp_path: Path) -> None:
    bundle.train(unlabeled, tmp_path / "again")
    bundle.train(unlabeled, tmp_path / "other", seed=1)
    first, repeated, other = weights(trained), weights(tmp_path / "again"), weights(tmp_path / "other")
    assert all(torch.equal(first[key], repeated[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_training_stops_early(bundle: Any, unlabeled: Path, tmp_path: Path) -> None:
    """One epoch sets the score to beat, two more do not, and the fourth to tenth never come."""
    score = {"validate#early_stop#score_function": "$lambda engine: 0.0"}
    bundle.train(unlabeled, tmp_path, max_epochs=10, early_stop_patience=2, **score)
    assert [path.name for path in tmp_path.glob("checkpoint*")] == ["checkpoint_epoch=3.pt"]


def test_weights_of_the_best_epoch_are_kept(bundle: Any, unlabeled: Path, tmp_path: Path) -> None:
    options = bundle.small_training(unlabeled, tmp_path, max_epochs=4, learning_rate=0.03)
    workflow = bundle.workflow("train", **options)
    workflow.initialize()
    network = workflow.parser.get_parsed_content("network")
    evaluator = workflow.parser.get_parsed_content("validate#evaluator")
    epochs: list[tuple[float, dict[str, torch.Tensor]]] = []

    def remember(engine: Engine) -> None:
        state = {key: value.clone() for key, value in network.state_dict().items()}
        epochs.append((engine.state.metrics["cluster_information"], state))

    evaluator.add_event_handler(Events.COMPLETED, remember)
    workflow.run()
    scores = [score for score, _ in epochs]
    assert len(set(scores)) == 4
    best = epochs[scores.index(max(scores))][1]
    saved = weights(tmp_path)
    assert all(torch.equal(saved[key], best[key]) for key in best)
