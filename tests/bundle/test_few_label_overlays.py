"""The cardiac bundle's overlays: pre-training without a label, then fine-tuning with a few."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import pytest
import torch
from monai.bundle import ConfigParser

from data_prep.phantom import make_phantoms

CONFIGS = Path(__file__).parents[2] / "bundle" / "cardiac_mr_segmentation" / "configs"
PRETRAININGS = ("pretrain_global", "pretrain_lrc", "pretrain_ideal", "pretrain_s3net")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hearts")
    make_phantoms("cardiac", folder, count=3, shape=(48, 40, 4))
    return folder


def configs(name: str) -> str:
    return name if name.endswith(".json") else str(CONFIGS / f"{name}.json")


def train(data: Path, folder: Path, *overlays: str, **overrides: Any) -> Path:
    """Run train.json with overlays for two iterations of a network of a few channels; the folder of the products."""
    parser = ConfigParser()
    parser.read_config([configs(name) for name in ("train", *overlays)])
    small = {"encoder_def#channels": [4, 6, 8], "iterations": 2, "epoch_length": 2}
    size = {} if any(name.endswith(".json") for name in overlays) else {"spatial_size": [32, 32]}
    folders = {"bundle_root": str(CONFIGS.parent), "dataset_dir": str(data), "output_dir": str(folder)}
    for name, value in {**folders, **small, **size, "batch_size": 2, "device": "cpu", **overrides}.items():
        parser[name] = value
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")
    return folder


def state(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)


@pytest.mark.parametrize("overlay", PRETRAININGS)
def test_pretraining_opens_no_label_and_its_encoder_starts_the_fine_tuning(
    overlay: str, data: Path, tmp_path: Path, opened: list[str]
) -> None:
    before = train(data, tmp_path / "untrained", overlay, learning_rate=0.0)
    encoder = train(data, tmp_path / "first", overlay) / "encoder.pt"
    assert any(path.startswith(str(data / "images")) for path in opened)
    assert not any(path.startswith(str(data / "labels")) for path in opened)
    untrained = state(before / "encoder.pt")
    assert any(not torch.equal(weights, untrained[name]) for name, weights in state(encoder).items())
    tuned = train(data, tmp_path / "tuned", pretrained=str(encoder), learning_rate=0.0)
    for name, weights in state(encoder).items():
        assert torch.equal(state(tuned / "model.pt")[f"encoder.{name}"], weights)


def test_superpixels_are_kept_for_the_next_run(data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "regions"
    train(data, tmp_path / "first", "pretrain_lrc", regions_cache=str(cache))
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(kept) == 3 * 2  # patients, frames of each
    train(data, tmp_path / "second", "pretrain_lrc", regions_cache=str(cache))
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == kept


def test_bidirectional_fine_tuning_trains_both_decoders(data: Path, tmp_path: Path) -> None:
    encoder = train(data, tmp_path / "first", "pretrain_ideal") / "encoder.pt"
    start = train(data, tmp_path / "start", "finetune_bidirectional", labelled_patients=1, learning_rate=0.0)
    tuned = train(data, tmp_path / "tuned", "finetune_bidirectional", labelled_patients=1, pretrained=str(encoder))
    changed = {
        name.split(".")[0]
        for name, weights in state(tuned / "model.pt").items()
        if not torch.equal(weights, state(start / "model.pt")[name])
    }
    assert changed == {"encoder", "decoder_a", "decoder_b"}


def test_self_training_learns_from_its_teacher_and_opens_no_hidden_label(
    data: Path, tmp_path: Path, opened: list[str]
) -> None:
    teacher = str(train(data, tmp_path / "teacher", labelled_patients=1) / "model.pt")
    options = {"labelled_patients": 1, "teacher": teacher, "share": 1.0}
    opened.clear()
    tuned = state(train(data, tmp_path / "tuned", "self_train", **options) / "model.pt")
    labels = {path for path in opened if path.startswith(str(data / "labels"))}
    assert len(labels) == 2  # both frames of the one patient
    start = state(train(data, tmp_path / "start", "self_train", learning_rate=0.0, **options) / "model.pt")
    assert all(torch.equal(weights, state(Path(teacher))[name]) for name, weights in start.items())
    assert any(not torch.equal(weights, state(Path(teacher))[name]) for name, weights in tuned.items())


@pytest.mark.parametrize("patients", [1, None])
def test_labelled_and_pseudo_labelled_slices_are_drawn_as_often_as_asked_for(
    patients: int | None, data: Path, tmp_path: Path
) -> None:
    teacher = str(train(data, tmp_path, labelled_patients=1) / "model.pt")
    parser = ConfigParser()
    parser.read_config([configs("train"), configs("self_train")])
    parser.update({"dataset_dir": str(data), "spatial_size": [32, 32], "encoder_def#channels": [4, 6, 8]})
    parser.update({"teacher": teacher, "share": 1.0, "labelled_patients": patients, "device": "cpu"})
    weights = parser.get_parsed_content("train#weights")
    assert len(weights) == len(parser.get_parsed_content("train#dataset"))
    labelled = 2 * 4 * (patients or 3)  # frames, slices of each
    assert sum(weights[:labelled]) == pytest.approx(0.25)
    assert sum(weights[labelled:]) == pytest.approx(0.75 if patients else 0.0)
    assert parser.get_parsed_content("teacher_network") is not parser.get_parsed_content("network_def")


def test_self_training_without_a_teacher_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as refused:
        train(data, tmp_path, "self_train", labelled_patients=1)
    assert "no such checkpoint of a network; train one" in str(refused.value.__cause__)


def test_cross_pseudo_supervision_trains_two_networks_apart(data: Path, tmp_path: Path) -> None:
    trained = state(train(data, tmp_path, "finetune_cross_pseudo", labelled_patients=1) / "model.pt")
    pairs = [(name, name.replace("first.", "second.")) for name in trained if name.startswith("first.")]
    assert len(pairs) * 2 == len(trained)
    assert not any(torch.equal(trained[a], trained[b]) for a, b in pairs)


def test_pretrained_weights_go_to_the_first_of_two_networks(data: Path, tmp_path: Path) -> None:
    encoder = train(data, tmp_path / "first", "pretrain_global") / "encoder.pt"
    options = {"labelled_patients": 1, "pretrained": str(encoder), "learning_rate": 0.0}
    tuned = state(train(data, tmp_path / "tuned", "finetune_cross_pseudo", **options) / "model.pt")
    for name, weights in state(encoder).items():
        assert torch.equal(tuned[f"first.encoder.{name}"], weights)
    assert any(not torch.equal(tuned[f"second.encoder.{name}"], weights) for name, weights in state(encoder).items())


def test_a_network_of_another_kind_takes_no_encoder(data: Path, tmp_path: Path) -> None:
    encoder = train(data, tmp_path / "first", "pretrain_global") / "encoder.pt"
    with pytest.raises(RuntimeError) as refused:
        train(data, tmp_path / "tuned", "nnunet_like", labelled_patients=1, pretrained=str(encoder))
    assert "its encoder does not fit" in str(refused.value.__cause__)


def test_a_plain_folder_is_enough_to_pretrain_and_too_little_to_fine_tune(data: Path, tmp_path: Path) -> None:
    encoder = train(data / "images", tmp_path / "first", "pretrain_ideal") / "encoder.pt"
    with pytest.raises(RuntimeError) as refused:
        train(data / "images", tmp_path / "tuned", pretrained=str(encoder))
    assert "no case to take slices of: add labels to the datalist" in str(refused.value.__cause__)


def test_a_pretraining_can_start_from_a_supervised_encoder(data: Path, tmp_path: Path) -> None:
    supervised = train(data, tmp_path / "supervised") / "encoder.pt"
    after = train(data, tmp_path / "after", "pretrain_lrc", pretrained=str(supervised), learning_rate=0.0)
    for name, weights in state(supervised).items():
        assert torch.equal(state(after / "encoder.pt")[name], weights)


def test_an_encoder_of_another_width_is_refused(data: Path, tmp_path: Path) -> None:
    encoder = train(data, tmp_path / "first", "pretrain_global") / "encoder.pt"
    with pytest.raises(RuntimeError) as refused:
        train(data, tmp_path / "tuned", pretrained=str(encoder), **{"encoder_def#channels": [4, 6, 10]})
    assert "its encoder does not fit" in str(refused.value.__cause__)
    assert not (tmp_path / "tuned" / "model.pt").exists()


@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_page_on_few_labels_as_written(bidirectional: bool, data: Path, tmp_path: Path) -> None:
    """docs/few_labels.md, steps 2 to 5: one overlay of one's own, of another number of classes, on all of them."""
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"out_channels": 5, "field_of_view": [40, 40], "spatial_size": [32, 32]}))
    encoder = train(data, tmp_path / "lrc", str(mine), "pretrain_lrc") / "encoder.pt"
    tuning = ["finetune_bidirectional"] if bidirectional else []
    model = train(data, tmp_path / "model", str(mine), *tuning, pretrained=str(encoder), labelled_patients=1)
    served = ["inference_bidirectional"] if bidirectional else []
    parser = ConfigParser()
    parser.read_config([configs(name) for name in ("inference", str(mine), *served)])
    parser.update(
        {
            "bundle_root": str(CONFIGS.parent),
            "dataset_dir": str(data),
            "output_dir": str(tmp_path / "masks"),
            "checkpoint": str(model / "model.pt"),
            "encoder_def#channels": [4, 6, 8],
            "device": "cpu",
        }
    )
    parser.get_parsed_content("run")
    images = sorted((data / "images").iterdir())
    masks = sorted((tmp_path / "masks").iterdir())
    assert len(masks) == len(images)
    for mask, image in zip(masks, images, strict=True):
        assert nibabel.load(mask).shape == nibabel.load(image).shape


def test_the_settings_that_the_page_names(data: Path, tmp_path: Path) -> None:
    """docs/few_labels.md, the table of step 2."""
    flip = {"_target_": "RandFlipd", "keys": ["image", "label"], "allow_missing_keys": True, "prob": 0.5}
    mine, inferring = tmp_path / "mine.json", tmp_path / "inferring.json"
    mine.write_text(json.dumps({"train#reading#2#_disabled_": True, "+train#moves": [flip]}))
    inferring.write_text(
        json.dumps({"image_transforms#3#_disabled_": True, "postprocessing#transforms#3#_disabled_": True})
    )
    training, inference, global_, s3net = (ConfigParser() for _ in range(4))
    training.read_config([configs("train"), str(mine), configs("finetune_bidirectional")])
    training["dataset_dir"] = str(data)
    case = {"image": str(next(iter(sorted((data / "images").iterdir()))))}
    reading, augmenting = (training.get_parsed_content(f"train#{name}") for name in ("read_volume", "augment"))
    assert "InPlaneSpacingd" not in [type(step).__name__ for step in reading.transforms]
    assert "RandFlipd" in [type(step).__name__ for step in augmenting.transforms]
    unlabelled = training.get_parsed_content("train#unlabelled").transform
    assert "RandFlipd" in [type(step).__name__ for step in unlabelled.transforms]
    inference.read_config([configs("inference"), str(inferring)])
    seen = inference.get_parsed_content("preprocessing")
    assert "InPlaneSpacingd" not in [type(step).__name__ for step in seen.transforms]
    torch.testing.assert_close(
        torch.as_tensor(reading(dict(case))["image"]), torch.as_tensor(seen(dict(case))["image"])
    )
    after = inference.get_parsed_content("postprocessing").transforms
    assert "KeepLargestConnectedComponentd" not in [type(step).__name__ for step in after]
    for parser, overlay, name in ((global_, "pretrain_global", "views#flip"), (s3net, "pretrain_s3net", "flip")):
        parser.read_config([configs("train"), configs(overlay)])
        parser[f"train#prepare_batch#{name}"] = 0.5
        views = parser.get_parsed_content("train#prepare_batch")
        assert getattr(views, "views", views).flip == 0.5
