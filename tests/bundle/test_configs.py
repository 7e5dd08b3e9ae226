"""What the configs of one bundle owe to one another and to MONAI's workflows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import pytest
import torch

SIZES = ("pixdim", "min_size", "spatial_size", "field_of_view")


def test_train_and_inference_build_one_network(bundle: Any) -> None:
    parsers = [bundle.parser(name) for name in ("train", "inference")]
    for size in SIZES:
        assert parsers[0].get(size) == parsers[1].get(size), size
    if bundle.task == "cardiac":  # whichever of its trainings made the released weights
        parsers.append(bundle.parser("train", "fine_tune_bidirectional"))
    train, inference, *more = (parser.get_parsed_content("network_def") for parser in parsers)
    same = [network for network in (train, *more) if str(network) == str(inference)]
    assert len(same) == 1
    assert same[0].state_dict().keys() == inference.state_dict().keys()


@pytest.mark.parametrize("bundle", ["lung", "skin"], indirect=True, scope="session")
def test_inference_prepares_images_as_training_does(bundle: Any) -> None:
    """Up to the weak label of training, all steps are the same, including the sizes that they refer to."""
    train, inference = bundle.parser("train"), bundle.parser("inference")
    training, serving = train["train"]["deterministic_transforms"], inference["image_transforms"]
    weak_label = list(training).index("weak_label")
    assert weak_label > 2
    assert list(serving.items())[:weak_label] == list(training.items())[:weak_label]
    # Only padding remains: training pads its crops after the weak label.
    assert set(list(serving)[weak_label:]) <= {"pad", "type"}


def test_inference_gives_the_network_what_training_gives(bundle: Any, unlabeled: Path) -> None:
    sizes = {key: value for key, value in bundle.small_training(unlabeled, unlabeled).items() if key in SIZES}
    parsers = {name: bundle.parser(name) for name in ("train", "inference")}
    for parser in parsers.values():
        parser.update({key: value for key, value in sizes.items() if key in parser.get()})
    image = min((unlabeled / "images").iterdir())
    steps = "reading" if bundle.task == "cardiac" else "deterministic_transforms"
    transforms = [*parsers["train"].get_parsed_content(f"train#{steps}").values()]
    if bundle.task == "cardiac":
        transforms += parsers["train"].get_parsed_content("train#normalizing").values()
    sample: Any = {"image": str(image)}
    for transform in transforms:
        sample = transform(sample)
    served = parsers["inference"].get_parsed_content("preprocessing")({"image": str(image)})["image"]
    assert sample["image"].dtype == served.dtype == torch.float32
    corner = tuple((full - size) // 2 for full, size in zip(served.shape[1:], sample["image"].shape[1:], strict=True))
    inner = [slice(low, low + size) for low, size in zip(corner, sample["image"].shape[1:], strict=True)]
    torch.testing.assert_close(served.as_tensor()[(slice(None), *inner)], sample["image"])


@pytest.mark.parametrize("names", [("train",), ("train", "multi_gpu_train")])
def test_properties_of_training_are_complete(
    bundle: Any, training_data: Path, tmp_path: Path, alone: None, names: tuple[str, ...]
) -> None:
    workflow = bundle.workflow(*names, **bundle.small_training(training_data, tmp_path, initialize=[]))
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("names", [("inference",), ("inference", "evaluate")])
def test_properties_of_inference_are_complete(
    bundle: Any, labeled: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    workflow = bundle.workflow(*names, kind="infer", dataset_dir=str(labeled), output_dir=str(tmp_path))
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process group of one, which the samplers of several GPUs ask for."""
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    idist.initialize("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    idist.finalize()


def test_run_and_training_are_both_run_ids(bundle: Any) -> None:
    config = bundle.parser("train")
    assert config["training"] in ("%run", config["run"])


@pytest.mark.parametrize("device", ["cpu", "$torch.device('cpu')"])
@pytest.mark.parametrize(("given", "expected"), [({"amp": True}, True), ({}, False)])
def test_mixed_precision_can_be_switched_on(
    bundle: Any, training_data: Path, tmp_path: Path, device: str, given: dict[str, bool], expected: bool
) -> None:
    """Half precision itself needs a GPU; here the flag must arrive, and be off by default.

    A device comes as a word from the command line and from MONAI Label, as ``torch.device`` from the config.
    """
    training = bundle.workflow("train", **{**bundle.small_training(training_data, tmp_path), "device": device, **given})
    folders = {"dataset_dir": str(training_data), "output_dir": str(tmp_path)}
    inference = bundle.workflow("inference", kind="infer", device=device, **folders, **given)
    for workflow, engines in ((training, ["train#trainer", "validate#evaluator"]), (inference, ["evaluator"])):
        workflow.initialize()
        if bundle.task == "cardiac":  # no label of another patient is spent on validation
            engines = [engine for engine in engines if engine != "validate#evaluator"]
        assert [workflow.parser.get_parsed_content(engine).amp for engine in engines] == [expected] * len(engines)
