"""Evaluation of DICOM SEG and 3D Slicer segmentations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import slicerio

from s3net_monai.evaluation import evaluate
from s3net_monai.io import Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.tasks import TASKS
from s3net_monai.utils.geometry import LPS_TO_RAS
from tests.helpers.dicom_tools import SERIES, make_vl_image

FORMATS = ["dicomseg", "dicomseg-labelmap", "segnrrd"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("predictions", "labels"):
        (tmp_path / name).mkdir()
    return tmp_path / "predictions", tmp_path / "labels"


@pytest.fixture
def blob() -> np.ndarray:
    """(6, 4, 5) without symmetry; the first, last and middle slices are empty."""
    array = (np.random.default_rng(0).random((6, 4, 5)) > 0.5).astype(np.uint8)
    array[:, :, [0, 2, 4]] = 0
    return array


@pytest.fixture
def write(series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path) -> Callable[..., np.ndarray]:
    def writer(array: np.ndarray, folder: Path, *, geometry: str, format_name: str) -> np.ndarray:
        source = tmp_path / "ct"
        if not source.exists():
            series_maker(stored_ramp, **SERIES[geometry]).save(source)
        affine = load_series([source]).affine
        write_mask(
            Mask(
                array=array,
                affine=affine,
                source=(source,),
                labels=TASKS["lung"].labels,
                model_name="toy",
                model_version="1",
            ),
            folder,
            case_id="a",
            format_name=format_name,
        )
        return affine

    return writer


@pytest.mark.parametrize("geometry", SERIES)
@pytest.mark.parametrize("format_name", FORMATS)
def test_segmentation_is_compared_with_nifti_of_the_same_grid(
    write: Any, blob: np.ndarray, folders: tuple[Path, Path], geometry: str, format_name: str
) -> None:
    affine = write(blob, folders[0], geometry=geometry, format_name=format_name)
    nib.save(nib.Nifti1Image(blob, affine), folders[1] / "a.nii.gz")
    evaluation = evaluate(*folders)
    assert evaluation.failed == {}
    assert [(case.case_id, case.dice, case.hd95) for case in evaluation.cases] == [("a", 1.0, 0.0)]


def test_missing_frames_do_not_hide_errors(write: Any, blob: np.ndarray, folders: tuple[Path, Path]) -> None:
    affine = write(blob, folders[0], geometry="axial", format_name="dicomseg")
    truth = blob.copy()
    truth[:, :, 0] = 1  # 24 voxels in a frame that the SEG does not have
    nib.save(nib.Nifti1Image(truth, affine), folders[1] / "a.nii.gz")
    (case,) = evaluate(*folders).cases
    assert case.dice == pytest.approx(2 * blob.sum() / (2 * blob.sum() + 24))


def test_segmentations_with_different_frames(write: Any, blob: np.ndarray, folders: tuple[Path, Path]) -> None:
    first, second = np.zeros_like(blob), np.zeros_like(blob)
    first[1:3, 1, 1:3] = 1
    second[1:3, 1, 2:4] = 1
    write(first, folders[0], geometry="oblique coronal", format_name="dicomseg")
    write(second, folders[1], geometry="oblique coronal", format_name="dicomseg")
    (case,) = evaluate(*folders).cases
    assert case.dice == pytest.approx(0.5)


def test_other_formats_of_a_mask_take_precedence(write: Any, blob: np.ndarray, folders: tuple[Path, Path]) -> None:
    for format_name in ("nifti", *FORMATS):
        write(blob, folders[0], geometry="axial", format_name=format_name)
    write(blob, folders[1], geometry="axial", format_name="nifti")
    (folders[0] / "a_seg.dcm").write_bytes(b"never opened")
    evaluation = evaluate(*folders)
    assert evaluation.complete
    assert [case.dice for case in evaluation.cases] == [1.0]


def test_dicom_images_beside_labels_are_no_labels(
    write: Any, blob: np.ndarray, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    write(blob, folders[0], geometry="axial", format_name="dicomseg")
    write(blob, folders[1], geometry="axial", format_name="dicomseg")
    for file in (tmp_path / "ct").iterdir():
        (folders[1] / file.name).write_bytes(file.read_bytes())
    evaluation = evaluate(*folders)
    assert evaluation.complete
    assert [case.dice for case in evaluation.cases] == [1.0]


def test_different_grid_is_refused(write: Any, blob: np.ndarray, folders: tuple[Path, Path]) -> None:
    affine = write(blob, folders[0], geometry="axial", format_name="dicomseg")
    affine[0, 3] += 0.5
    nib.save(nib.Nifti1Image(blob, affine), folders[1] / "a.nii.gz")
    evaluation = evaluate(*folders)
    assert evaluation.cases == []
    assert "a" in evaluation.failed


def test_mask_of_a_vl_image(series_maker: Callable[..., Any], folders: tuple[Path, Path], tmp_path: Path) -> None:
    dataset = make_vl_image(series_maker(np.zeros((1, 4, 6), dtype=np.uint16)).slices[0])
    dataset.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    array = np.zeros((6, 4), dtype=np.uint8)
    array[5, 1:3] = 1
    mask = Mask(
        array=array,
        affine=np.eye(4),
        source=(tmp_path / "image.dcm",),
        labels=TASKS["skin"].labels,
        model_name="toy",
        model_version="1",
    )
    write_mask(mask, folders[0], case_id="a", format_name="dicomseg")
    write_mask(mask, folders[1], case_id="a", format_name="png")
    (case,) = evaluate(*folders).cases
    assert (case.dice, case.unit) == (1.0, "px")


def test_overlapping_segments_are_refused(tmp_path: Path) -> None:
    segmentation = slicerio.create_segmentation((3, 3, 3), LPS_TO_RAS)
    for name in ("one", "two"):
        slicerio.add_segment(segmentation, np.ones((3, 3, 3), dtype=bool), {"name": name})
    slicerio.write_segmentation(str(tmp_path / "a.seg.nrrd"), segmentation)
    with pytest.raises(ValueError, match=r"a\.seg\.nrrd: .*overlap"):
        read_label(tmp_path / "a.seg.nrrd")
