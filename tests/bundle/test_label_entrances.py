"""Every config that reads labels takes them from one reader and places them on the grid of their image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

from s3net_monai.api import segment
from s3net_monai.tasks import TASKS
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import first_cause
from tests.helpers.paths import BUNDLES

VOLUME_BUNDLES = ("lung_ct_segmentation", "cardiac_mr_segmentation", "abdominal_ct_slices_segmentation")
SKIN = TASKS["skin"].bundle
AFFINE = np.array([[-5.0, 0, 0, 80], [0, 4, 0, -60], [0, 0, 6, 7], [0, 0, 0, 1]])
# Names of configs and the step that reads image and label.
ENTRANCES = [
    *((bundle, ("inference", "evaluate"), "preprocessing") for bundle in (*VOLUME_BUNDLES, SKIN)),
    *((bundle, ("train",), "train#read_volume") for bundle in VOLUME_BUNDLES[1:]),
    ("cardiac_mr_segmentation", ("train", "fine_tune"), "train#read_volume"),
    *((bundle, ("train", "fine_tune"), "validate#preprocessing") for bundle in ("lung_ct_segmentation", SKIN)),
]
VOLUME_ENTRANCES = [entrance for entrance in ENTRANCES if entrance[0] != SKIN]
SKIN_ENTRANCES = [entrance for entrance in ENTRANCES if entrance[0] == SKIN]


def reading(bundle: str, names: tuple[str, ...], step: str) -> Any:
    parser = ConfigParser()
    parser.read_config([str(BUNDLES / bundle / "configs" / f"{name}.json") for name in names])
    parser.update({"bundle_root": str(BUNDLES / bundle), "device": "cpu"})
    return parser.get_parsed_content(step)


def label_of(transform: Any, case: dict[str, str]) -> np.ndarray:
    return np.asarray(torch.as_tensor(transform(dict(case))["label"]).as_subclass(torch.Tensor))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One image, and its label as it is, mirrored, without position, shifted by 12 voxels, and of half the size."""
    folder = tmp_path_factory.mktemp("volumes")
    rng = np.random.default_rng(0)
    shape = (32, 30, 8)
    truth = np.zeros(shape, np.uint8)
    truth[4:15, 6:20, 2:5] = 1
    flip, shifted = AFFINE.copy(), AFFINE.copy()
    flip[:3, [0, 2]] *= -1
    flip[:3, 3] += 31 * AFFINE[:3, 0] + 7 * AFFINE[:3, 2]
    shifted[:3, 3] += 12 * AFFINE[:3, 1]
    files = {
        "image": (rng.integers(-900, 300, shape).astype(np.int16), AFFINE),
        "as it is": (truth, AFFINE),
        "mirrored": (truth[::-1, :, ::-1].copy(), flip),
        "unplaced": (truth, np.eye(4)),
        "shifted": (truth, shifted),
        "half": (truth[::2], AFFINE @ np.diag([2, 1, 1, 1])),
    }
    for name, (array, affine) in files.items():
        nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")
    return {name: str(folder / f"{name}.nii.gz") for name in files}


@pytest.mark.parametrize(("bundle", "names", "step"), VOLUME_ENTRANCES)
def test_labels_of_volumes(volumes: dict[str, str], bundle: str, names: tuple[str, ...], step: str) -> None:
    transform = reading(bundle, names, step)
    image = {"image": volumes["image"], "case_id": "a"}
    expected = label_of(transform, {**image, "label": volumes["as it is"]})
    assert expected.any()
    assert not np.array_equal(expected, expected[:, ::-1])
    for kind in ("mirrored", "unplaced"):
        np.testing.assert_array_equal(label_of(transform, {**image, "label": volumes[kind]}), expected, err_msg=kind)
    for kind, message in {
        "shifted": r"shifted\.nii\.gz: lies 48 mm off image\.nii\.gz",
        "half": r"half\.nii\.gz: label of 16x30x8, expected 32x30x8 as image\.nii\.gz; use the image's own label",
    }.items():
        with pytest.raises(RuntimeError) as caught:
            transform({**image, "label": volumes[kind]})
        with pytest.raises(CaseError, match=message):
            raise first_cause(caught.value)


@pytest.mark.parametrize(("bundle", "names", "step"), SKIN_ENTRANCES)
def test_masks_of_pictures(tmp_path: Path, bundle: str, names: tuple[str, ...], step: str) -> None:
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[274] = 8
    stored = np.zeros((40, 60), np.uint8)
    stored[5:20, 10:30] = 1
    Image.fromarray(rng.integers(0, 255, (40, 60, 3)).astype(np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    masks = {
        "upright": 255 * np.rot90(stored),
        "stored": 255 * stored,
        "ones": np.rot90(stored).astype(np.uint16),
        "inside": 7 * np.rot90(stored),
    }
    for name, mask in masks.items():
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    transform = reading(bundle, names, step)
    cases = {name: {"image": str(tmp_path / "a.jpg"), "label": str(tmp_path / f"{name}.png")} for name in masks}
    expected = label_of(transform, cases["upright"])
    assert 0.1 < expected.mean() < 0.15  # 300 of 2400 pixels
    for name in masks:
        np.testing.assert_array_equal(label_of(transform, cases[name]), expected, err_msg=name)
    Image.fromarray(stored[:, :40]).save(tmp_path / "square.png")
    with pytest.raises(RuntimeError) as caught:
        transform({**cases["ones"], "label": str(tmp_path / "square.png")})
    assert str(first_cause(caught.value)).startswith("square.png: label of 40x40, expected 40x60 as a.jpg")


def test_other_values_than_0_and_1_are_refused(volumes: dict[str, str], tmp_path: Path) -> None:
    """Of several classes, nothing tells which one is meant; they would be merged, and -1 dropped."""
    array = np.zeros((32, 30, 8), np.int16)
    array[4:9, 6:20, 2:5], array[9:15, 6:20, 2:5], array[20:25] = 1, 2, -1
    nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / "classes.nii.gz")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    stored = np.zeros((40, 60), np.uint8)
    stored[5:20, 10:30], stored[5:20, 30:40] = 1, 2
    Image.fromarray(stored).save(tmp_path / "two.png")
    lung = {"image": volumes["image"], "label": str(tmp_path / "classes.nii.gz"), "case_id": "a"}
    skin = {"image": str(tmp_path / "a.png"), "label": str(tmp_path / "two.png"), "case_id": "a"}
    for bundle, names, step in ENTRANCES:
        if bundle not in (SKIN, TASKS["lung"].bundle):
            continue
        case, values = (skin, "2") if bundle == SKIN else (lung, "-1, 2")
        with pytest.raises(RuntimeError) as caught:
            reading(bundle, names, step)(dict(case))
        message = str(first_cause(caught.value))
        assert message.startswith(f"a, {Path(case['label']).name}: the values {values} under 'label', expected"), names
        assert "whole numbers from 0 to 1; renumber the label" in message


@pytest.mark.parametrize("config", sorted(BUNDLES.glob("*/configs/*.json")), ids=lambda path: "/".join(path.parts[-3:]))
def test_no_config_reads_labels_otherwise(config: Path) -> None:
    """Whoever loads a label loads it with the shared reader, and every image that is loaded is checked."""
    text = json.dumps(json.loads(config.read_text(encoding="utf-8")))
    loads = text.count('"_target_": "LoadImaged", "keys": "label"')
    assert loads == text.count("s3net_monai.io.LabelReader") == text.count("s3net_monai.transforms.LabelOnImaged")
    assert '"_target_": "LoadImaged", "keys": ["image", "label"]' not in text
    assert text.count('"_target_": "LoadImaged", "keys": "image"') == text.count("s3net_monai.transforms.RefuseMasksd")


def test_a_mask_that_the_user_names_is_refused_by_segment(tmp_path: Path) -> None:
    mask = np.zeros((48, 40), np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "a_mask.png")
    with pytest.raises(CaseError, match=r"^a_mask\.png: only the values 0 and 255, so a mask; give the image itself$"):
        segment(tmp_path / "a_mask.png", task="skin", device="cpu")


@pytest.mark.parametrize("task", ["lung", "skin"])
def test_a_mask_is_refused_as_an_image_of_training(task: str, tmp_path: Path) -> None:
    mask = np.zeros((48, 48), np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "a.png")
    transform = reading(TASKS[task].bundle, ("train",), "validate#preprocessing")
    with pytest.raises(RuntimeError) as caught:
        transform({"image": str(tmp_path / "a.png"), "case_id": "a"})
    assert str(first_cause(caught.value)) == "a.png: only the values 0 and 255, so a mask; give the image itself"
