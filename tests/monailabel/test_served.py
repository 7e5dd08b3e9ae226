"""The served folder, and on it what MONAI Label's tasks for bundles do, repeated without MONAI Label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, run
from monai.transforms import LoadImaged, SaveImaged
from monai.utils import set_determinism
from PIL import Image

from data_prep.phantom import write_lung_phantom, write_skin_phantom
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.monailabel.served import make_app
from s3net_monai.monailabel.unlabelled import unlabelled_beside

SKIN, LUNG = "skin_lesion_segmentation", "lung_ct_segmentation"
SMALL = {
    LUNG: {"pixdim": [10, 10, 15], "patch_size": [32, 32, 8], "least_size": [32, 32, 8]},
    SKIN: {"spatial_size": [64, 64]},
}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "models" / "model.pt", weights_only=True)
    return state


def pairs(name: str, folder: Path, count: int) -> list[dict[str, str]]:
    """Images and labels as MONAI Label's store has them: the images in one folder, the labels elsewhere."""
    found = []
    for index in range(count):
        if name == SKIN:
            image, label = write_skin_phantom(folder, f"case{index}", (90, 70), seed=index)
        else:
            image, label = write_lung_phantom(folder, f"case{index}", (40, 36, 10), seed=index)
        found.append({"image": str(image), "label": str(label)})
    return found


def train(bundle: Path, cases: list[dict[str, str]], **more: Any) -> None:
    """``BundleTrainTask`` of MONAI Label 0.8.5: these overrides, and a loader before the handlers of the config."""
    config = bundle / "configs" / "train.json"
    handlers = json.loads(config.read_text())["train"]["handlers"]
    path = str(bundle / "models" / "model.pt")
    load = {"_target_": "CheckpointLoader", "load_path": path, "load_dict": {"model": "$@network"}, "strict": False}
    validation = max(1, len(cases) // 5)
    try:
        run(
            run_id="run",
            init_id=None,
            final_id=None,
            meta_file=str(bundle / "configs" / "metadata.json"),
            config_file=str(config),
            logging_file=False,
            bundle_root=str(bundle),
            device="cpu",
            **{
                "train#trainer#max_epochs": 1,
                "train#dataset#data": cases[:-validation],
                "train#handlers": [load, *handlers],
                "validate#dataset#data": cases[-validation:],
                **more,
            },
        )
    finally:
        set_determinism(None)


@pytest.mark.parametrize("name", [LUNG, SKIN])
def test_corrections_train_the_served_weights_further(name: str, app_folder: Path, tmp_path: Path) -> None:
    bundle = app_folder / "model" / name
    before = weights(bundle)
    cases = pairs(name, tmp_path / "data", 5)
    train(bundle, cases, **SMALL[name], epoch_length=2, batch_size=2)
    after = weights(bundle)
    assert after.keys() == before.keys()
    assert torch.equal(after["cluster_class"], before["cluster_class"]), "the naming of the clusters stays"
    learned = [key for key in before if key.endswith((".weight", ".bias"))]
    changes = [float((after[key] - before[key]).abs().max()) for key in learned]
    assert 0 < max(changes) < 0.1, "trained on, and from the shipped weights"
    assert [path.name for path in (bundle / "models").iterdir()] == ["model.pt"], "MONAI Label offers every .pt there"


def test_labels_are_what_is_learned(app_folder: Path, tmp_path: Path) -> None:
    """Corrections that call the border a lesion move the mask there."""
    bundle = app_folder / "model" / SKIN
    cases = pairs(SKIN, tmp_path / "data", 4)
    for case in cases:
        Image.fromarray(255 - np.asarray(Image.open(case["label"]))).save(case["label"])

    def agreement() -> float:
        found = load_bundle("skin", bundle, torch.device("cpu"))
        sample = found.preprocessing({"image": cases[0]["image"]})
        with torch.no_grad():
            mask = found.network(sample["image"][None])[0, 1] > 0.5
        truth = torch.as_tensor(np.asarray(Image.open(cases[0]["label"]).resize(mask.shape)).T > 127)
        return float((mask == truth).float().mean())

    before = agreement()
    train(bundle, cases, **SMALL[SKIN], epoch_length=12, learning_rate=0.005)
    assert before < 0.3
    assert agreement() > before + 0.2


@pytest.mark.parametrize("name", [LUNG, SKIN])
def test_inference_gives_a_mask_that_monai_label_can_write(name: str, app_folder: Path, tmp_path: Path) -> None:
    path = pairs(name, tmp_path, 1)[0]["image"]
    parser = ConfigParser()
    parser.read_config(str(app_folder / "model" / name / "configs" / "inference.json"))
    parser.update({"bundle_root": str(app_folder / "model" / name), "device": "cpu", **SMALL[name]})
    before = parser.get_parsed_content("preprocessing").transforms
    after = [
        step for step in parser.get_parsed_content("postprocessing").transforms if not isinstance(step, SaveImaged)
    ]
    for step in before:
        if isinstance(step, LoadImaged):
            step._loader.image_only = False
    sample: dict[str, Any] = {"image": path, "image_path": path}
    for step in before:
        sample = step(sample)
    with torch.no_grad():
        network = parser.get_parsed_content("network_def").eval()
        sample["pred"] = parser.get_parsed_content("inferer")(sample["image"][None], network)[0]
    for step in after:
        sample = step(sample)
    mask = sample["pred"]
    # Restored gives the sizes after the first axis of the image, and drops a first axis of one from four axes alone
    written = mask if mask.ndim <= 3 else mask[0]
    assert tuple(written.shape) == ((90, 70) if name == SKIN else (40, 36, 10))
    assert written.dtype == torch.uint8


def test_the_command_line_takes_a_served_bundle(app_folder: Path, tmp_path: Path) -> None:
    served = load_bundle("skin", app_folder / "model" / SKIN, torch.device("cpu"))
    shipped = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    assert [type(step) for step in served.postprocessing.transforms] == [
        type(step) for step in shipped.postprocessing.transforms
    ]


def test_a_served_bundle_keeps_what_it_learned(app_folder: Path) -> None:
    model = app_folder / "model" / SKIN / "models" / "model.pt"
    model.write_bytes(b"learned")
    assert make_app(app_folder, ["skin"]) == [SKIN]
    assert model.read_bytes() == b"learned"


def test_bundles_that_cannot_learn_from_corrections_are_left_out(tmp_path: Path) -> None:
    assert make_app(tmp_path / "app", ["cardiac"]) == []
    assert not list((tmp_path / "app" / "model").iterdir())


def test_training_of_the_shipped_bundle_stays_label_free() -> None:
    for task in ("lung", "skin"):
        config = (bundle_root(task) / "configs" / "train.json").read_text()
        assert "ClassHeads" not in config
        assert '"label"' not in config.replace("from_engine(['pred', 'label'])", "")


def test_images_without_a_label_lie_beside_those_with_one(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png", "d.png", "notes.txt", "labels/final/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    case = {"image": str(tmp_path / "b.png"), "label": "x"}
    names = [Path(each["image"]).name for each in unlabelled_beside([case], 10)]
    assert names == ["a.png", "c.png", "d.png"]
    assert [Path(each["image"]).name for each in unlabelled_beside([case], 2)] == ["a.png", "d.png"]
    every = [{"image": str(tmp_path / f"{name}.png")} for name in "abcd"]
    assert unlabelled_beside(every, 10) == every
