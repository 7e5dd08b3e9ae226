"""Endings of names in capitals count as those in small letters, in every place that looks at names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import acdc, lung_volumes
from s3net_monai.data.datalist import load_datalist
from s3net_monai.evaluation import evaluate
from s3net_monai.inference import find_cases
from tests.helpers.nifti_headers import UPRIGHT, save_nifti


@pytest.fixture
def array() -> np.ndarray:
    return np.ones((20, 16, 12), np.int16)


@pytest.mark.parametrize(
    ("image", "label", "images"),
    [
        ("P1.NII.GZ", "P1_GT.NII.GZ", ["P1.NII.GZ"]),  # the other _GT is a label like this one
        ("P1_IMAGE.NII", "P1_LABEL.NII", ["P1_IMAGE.NII", "P2_GT.NII"]),
    ],
)
def test_labels_and_results_are_no_images(
    image: str, label: str, images: list[str], array: np.ndarray, tmp_path: Path
) -> None:
    for name in (image, label, "P2_GT.NII", "P3_SEG.PNG", "P1_PREVIEW.JPG"):
        (tmp_path / name).touch()
    found = [case.input.name for case in find_cases([tmp_path]).cases]
    assert found == images


def test_a_datalist_leaves_results_out(tmp_path: Path) -> None:
    for name in ("A.PNG", "A_SEG.PNG", "B.NII.GZ", "B_SEG.NII.GZ"):
        (tmp_path / name).touch()
    assert [Path(case["image"]).name for case in load_datalist(tmp_path, "all")] == ["A.PNG", "B.NII.GZ"]


def test_evaluate_finds_masks_and_labels(tmp_path: Path) -> None:
    mask = np.zeros((8, 6), np.uint8)
    mask[2:5, 1:4] = 255
    for folder, name in (("predictions", "A_SEG.PNG"), ("labels", "a_Segmentation.PNG")):
        (tmp_path / folder).mkdir()
        Image.fromarray(mask).save(tmp_path / folder / name, format="PNG")
    evaluation = evaluate(tmp_path / "predictions", tmp_path / "labels")
    assert [(case.case_id, case.dice) for case in evaluation.cases] == [("A", 1.0)]


def test_prepare_finds_volumes(array: np.ndarray, tmp_path: Path) -> None:
    for name in ("P1_CT.NII.GZ", "P1_LUNG.NII.GZ", "patient001_frame01.NII.GZ", "patient001_frame01_gt.NII.GZ"):
        save_nifti(tmp_path / name, array, qform=(UPRIGHT, 1))
    for module, image, label in (
        (lung_volumes, "P1_CT.NII.GZ", "P1_LUNG.NII.GZ"),
        (acdc, "patient001_frame01.NII.GZ", "patient001_frame01_gt.NII.GZ"),
    ):
        (case,) = module.find_cases(tmp_path, tmp_path / "out")
        assert case.image == tmp_path / image
        assert case.label == tmp_path / label
