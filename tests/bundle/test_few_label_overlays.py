"""The cardiac bundle's overlays: pre-training without a label, then fine-tuning with a few."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

from benchmarks.few_labels.stages import BENCHMARK_CONFIGS
from data_prep.phantom import make_phantoms
from tests.helpers.paths import CARDIAC_BUNDLE

CONFIGS = CARDIAC_BUNDLE / "configs"
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


@pytest.mark.slow
@pytest.mark.parametrize("overlay", PRETRAININGS)
def test_pretraining_opens_no_label_and_gives_an_encoder(
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
    times = {path: path.stat().st_mtime_ns for path in cache.rglob("*.npz")}
    assert len(times) == 3 * 2  # patients, frames of each
    train(data, tmp_path / "second", "pretrain_lrc", regions_cache=str(cache))
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.npz")} == times


@pytest.mark.slow
def test_bidirectional_fine_tuning_trains_both_decoders(data: Path, tmp_path: Path) -> None:
    encoder = train(data, tmp_path / "first", "pretrain_ideal") / "encoder.pt"
    start = train(data, tmp_path / "start", "fine_tune_bidirectional", num_labeled_patients=1, learning_rate=0.0)
    tuned = train(data, tmp_path / "tuned", "fine_tune_bidirectional", num_labeled_patients=1, pretrained=str(encoder))
    changed = {
        name.split(".")[0]
        for name, weights in state(tuned / "model.pt").items()
        if not torch.equal(weights, state(start / "model.pt")[name])
    }
    assert changed == {"encoder", "decoder_a", "decoder_b"}


@pytest.mark.slow
def test_self_training_opens_no_hidden_label(data: Path, tmp_path: Path, opened: list[str]) -> None:
    teacher = str(train(data, tmp_path / "teacher", num_labeled_patients=1) / "model.pt")
    options = {"num_labeled_patients": 1, "teacher": teacher, "fraction": 1.0}
    opened.clear()
    tuned = state(train(data, tmp_path / "tuned", "self_train", **options) / "model.pt")
    labels = {path for path in opened if path.startswith(str(data / "labels"))}
    assert len(labels) == 2  # both frames of the one patient
    start = state(train(data, tmp_path / "start", "self_train", learning_rate=0.0, **options) / "model.pt")
    assert all(torch.equal(weights, state(Path(teacher))[name]) for name, weights in start.items())
    assert any(not torch.equal(weights, state(Path(teacher))[name]) for name, weights in tuned.items())


@pytest.mark.parametrize("patients", [1, None])
def test_labeled_fraction_of_the_draws_is_as_configured(patients: int | None, data: Path, tmp_path: Path) -> None:
    teacher = str(train(data, tmp_path, num_labeled_patients=1) / "model.pt")
    parser = ConfigParser()
    parser.read_config([configs("train"), configs("self_train")])
    parser.update({"dataset_dir": str(data), "spatial_size": [32, 32], "encoder_def#channels": [4, 6, 8]})
    parser.update({"teacher": teacher, "fraction": 1.0, "num_labeled_patients": patients, "device": "cpu"})
    weights = parser.get_parsed_content("train#weights")
    assert len(weights) == len(parser.get_parsed_content("train#dataset"))
    labeled = 2 * 4 * (patients or 3)  # frames, slices of each
    assert sum(weights[:labeled]) == pytest.approx(0.25)
    assert sum(weights[labeled:]) == pytest.approx(0.75 if patients else 0.0)
    assert parser.get_parsed_content("teacher_network") is not parser.get_parsed_content("network_def")


def test_self_training_without_a_teacher_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as refused:
        train(data, tmp_path, "self_train", num_labeled_patients=1)
    assert "no such checkpoint of a network; train one" in str(refused.value.__cause__)


def test_cross_pseudo_supervision_trains_two_networks_apart(data: Path, tmp_path: Path) -> None:
    trained = state(train(data, tmp_path, "fine_tune_cross_pseudo", num_labeled_patients=1) / "model.pt")
    pairs = [(name, name.replace("first.", "second.")) for name in trained if name.startswith("first.")]
    assert len(pairs) * 2 == len(trained)
    assert not any(torch.equal(trained[a], trained[b]) for a, b in pairs)


def test_pretrained_weights_go_to_the_first_of_two_networks(data: Path, tmp_path: Path) -> None:
    encoder = train(data, tmp_path / "first", "pretrain_global") / "encoder.pt"
    options = {"num_labeled_patients": 1, "pretrained": str(encoder), "learning_rate": 0.0}
    tuned = state(train(data, tmp_path / "tuned", "fine_tune_cross_pseudo", **options) / "model.pt")
    for name, weights in state(encoder).items():
        assert torch.equal(tuned[f"first.encoder.{name}"], weights)
    assert any(not torch.equal(tuned[f"second.encoder.{name}"], weights) for name, weights in state(encoder).items())


def test_a_network_of_another_kind_takes_no_encoder(data: Path, tmp_path: Path) -> None:
    encoder = train(data, tmp_path / "first", "pretrain_global") / "encoder.pt"
    overlay = str(BENCHMARK_CONFIGS / "nnunet_like.json")
    with pytest.raises(RuntimeError) as refused:
        train(data, tmp_path / "tuned", overlay, num_labeled_patients=1, pretrained=str(encoder))
    assert "its encoder does not fit" in str(refused.value.__cause__)


def test_plain_folder_pretrains_but_does_not_fine_tune(data: Path, tmp_path: Path) -> None:
    encoder = train(data / "images", tmp_path / "first", "pretrain_ideal") / "encoder.pt"
    with pytest.raises(RuntimeError) as refused:
        train(data / "images", tmp_path / "tuned", pretrained=str(encoder))
    assert "no cases to extract slices from: add labels to the datalist" in str(refused.value.__cause__)


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


def infer(data: Path, folder: Path, model: Path, *overlays: str, **overrides: Any) -> list[Path]:
    """Run inference.json with overlays and a model of a few channels; the masks."""
    parser = ConfigParser()
    parser.read_config([configs(name) for name in ("inference", *overlays)])
    folders = {"bundle_root": str(CONFIGS.parent), "dataset_dir": str(data), "output_dir": str(folder)}
    small = {"encoder_def#channels": [4, 6, 8], "checkpoint": str(model), "device": "cpu"}
    parser.update({**folders, **small, **overrides})
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")
    return sorted(folder.iterdir())


METHODS = {
    "plain": ([], []),
    "bidirectional": (["fine_tune_bidirectional"], ["inference_bidirectional"]),
    "cross pseudo": (["fine_tune_cross_pseudo"], ["inference_cross_pseudo"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", list(METHODS))
def test_the_page_on_few_labels_as_written(method: str, data: Path, tmp_path: Path) -> None:
    """docs/few_labels.md, steps 2 to 5: one overlay of one's own, of another number of classes, on all of them."""
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"out_channels": 5, "field_of_view": [40, 40], "spatial_size": [32, 32]}))
    encoder = train(data, tmp_path / "lrc", str(mine), "pretrain_lrc") / "encoder.pt"
    tuning, served = METHODS[method]
    model = train(data, tmp_path / "model", str(mine), *tuning, pretrained=str(encoder), num_labeled_patients=1)
    masks = infer(data, tmp_path / "masks", model / "model.pt", str(mine), *served)
    images = sorted((data / "images").iterdir())
    assert len(masks) == len(images)
    for mask, image in zip(masks, images, strict=True):
        assert nibabel.load(mask).shape == nibabel.load(image).shape


@pytest.mark.slow
def test_images_of_one_name_get_masks_of_their_own(data: Path, tmp_path: Path) -> None:
    """A folder for each patient, with image.nii.gz in it: masks are named after cases."""
    model = train(data, tmp_path / "model") / "model.pt"
    cases = []
    for number, image in enumerate(sorted((data / "images").iterdir())):
        copied = tmp_path / "set" / f"p{number}" / "image.nii.gz"
        copied.parent.mkdir(parents=True)
        shutil.copy(image, copied)
        cases.append({"case_id": f"p{number}_ed", "image": f"p{number}/image.nii.gz"})
    (tmp_path / "set" / "datalist.json").write_text(json.dumps({"unlabeled": cases}))
    masks = infer(tmp_path / "set", tmp_path / "masks", model)
    assert [mask.name for mask in masks] == [f"{case['case_id']}_seg.nii.gz" for case in cases]


def test_a_model_of_another_kind_is_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    model = train(data, tmp_path / "model", "fine_tune_cross_pseudo", num_labeled_patients=1) / "model.pt"
    with pytest.raises(RuntimeError) as refused:
        infer(data, tmp_path / "masks", model)
    assert "model.pt: its network does not fit: encoder" in str(refused.value.__cause__)
    assert "\n" not in str(refused.value.__cause__)
    assert not (tmp_path / "masks").exists()


def flat_set(folder: Path, ending: str, **values: Any) -> Path:
    """Two patients of one 2-D image each, a bright disc, with labels 0 and 1, or `label` in place of 1."""
    rows, columns = np.mgrid[:60, :44]
    disc = (rows - 20) ** 2 + (columns - 25) ** 2 < 100
    cases = []
    for name in ("a", "b"):
        for kind, array in (("image", 60 + 120 * disc), ("label", values.get("label", 1) * disc)):
            path = folder / f"{name}_{kind}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if ending == ".png":
                Image.fromarray(array.astype(np.uint8)).save(path)
            else:
                nibabel.save(nibabel.Nifti1Image(array.astype(np.uint8), np.diag([1.5, 1.5, 1.0, 1.0])), path)
        cases.append({"case_id": name, "image": f"{name}_image{ending}", "label": f"{name}_label{ending}"})
    (folder / "datalist.json").write_text(json.dumps({"training": cases}))
    return folder


@pytest.mark.parametrize("ending", [".nii.gz", ".png"])
def test_flat_images_are_trained_on_as_they_are_segmented(ending: str, tmp_path: Path) -> None:
    data = flat_set(tmp_path / "set", ending)
    model = train(data, tmp_path / "model", num_labeled_patients=1) / "model.pt"
    masks = infer(data, tmp_path / "masks", model)
    assert [nibabel.load(mask).shape[:2] for mask in masks] == [(60, 44) if ending == ".nii.gz" else (44, 60)] * 2
    training, inference = ConfigParser(), ConfigParser()
    training.read_config(configs("train"))
    inference.read_config(configs("inference"))
    case = {"image": str(data / f"a_image{ending}"), "label": str(data / f"a_label{ending}")}
    read = training.get_parsed_content("train#read_volume")(case)
    seen = inference.get_parsed_content("preprocessing")({"image": case["image"]})
    torch.testing.assert_close(torch.as_tensor(read["image"]), torch.as_tensor(seen["image"]))
    disc = read["label"][0] == 1
    assert disc.any()
    assert read["image"][0][disc].min() > read["image"][0][~disc].mean()


@pytest.mark.parametrize("overlay", ["", "fine_tune_bidirectional", "fine_tune_semantic"])
def test_labels_that_are_no_classes_are_refused_with_their_file(overlay: str, data: Path, tmp_path: Path) -> None:
    model = train(data, tmp_path / "coarse") / "model.pt"
    flat = flat_set(tmp_path / "set", ".png", label=255)
    semantic = {"coarse_model": str(model)} if overlay == "fine_tune_semantic" else {}
    with pytest.raises(RuntimeError) as refused:
        train(flat, tmp_path / "model", *filter(None, [overlay]), num_labeled_patients=1, **semantic)
    error: BaseException = refused.value
    while error.__cause__ is not None:
        error = error.__cause__
    assert "_label.png: the values 255 under 'label', expected one channel of whole numbers from 0 to 3" in str(error)


def test_the_settings_that_the_page_names(data: Path, tmp_path: Path) -> None:
    """docs/few_labels.md, the table of step 2."""
    flip = {"_target_": "RandFlipd", "keys": ["image", "label"], "allow_missing_keys": True, "prob": 0.5}
    mine, inferring = tmp_path / "mine.json", tmp_path / "inferring.json"
    mine.write_text(json.dumps({"resample_in_plane": False, "train#spatial_augmentation#flip": flip}))
    inferring.write_text(json.dumps({"resample_in_plane": False, "largest_components": False}))
    training, inference, global_, s3net = (ConfigParser() for _ in range(4))
    training.read_config([configs("train"), str(mine), configs("fine_tune_bidirectional")])
    training["dataset_dir"] = str(data)
    case = {"image": str(next(iter(sorted((data / "images").iterdir()))))}
    reading, augmenting = (training.get_parsed_content(f"train#{name}") for name in ("read_volume", "augment"))
    assert "InPlaneSpacingd" not in [type(step).__name__ for step in reading.transforms]
    assert "RandFlipd" in [type(step).__name__ for step in augmenting.transforms]
    unlabeled = training.get_parsed_content("train#unlabeled").transform
    assert "RandFlipd" in [type(step).__name__ for step in unlabeled.transforms]
    inference.read_config([configs("inference"), str(inferring)])
    seen = inference.get_parsed_content("preprocessing")
    assert "InPlaneSpacingd" not in [type(step).__name__ for step in seen.transforms]
    torch.testing.assert_close(
        torch.as_tensor(reading(dict(case))["image"]), torch.as_tensor(seen(dict(case))["image"])
    )
    after = inference.get_parsed_content("postprocessing").transforms
    assert "KeepLargestOfClassesd" not in [type(step).__name__ for step in after]
    for parser, overlay, name in ((global_, "pretrain_global", "views#flip"), (s3net, "pretrain_s3net", "flip")):
        parser.read_config([configs("train"), configs(overlay)])
        parser[f"train#prepare_batch#{name}"] = 0.5
        views = parser.get_parsed_content("train#prepare_batch")
        assert getattr(views, "views", views).flip == 0.5
