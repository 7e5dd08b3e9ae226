"""DICOM SEG and Slicer segmentations as masks to compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import slicerio

from s3net_monai.evaluation import evaluate
from s3net_monai.evaluation.masks import read_mask
from s3net_monai.io import LABELS, Mask, write_mask
from s3net_monai.io.dicom.series import load_series
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
    """(6, 4, 5) without any symmetry, empty at both ends and in between."""
    array = (np.random.default_rng(0).random((6, 4, 5)) > 0.5).astype(np.uint8)
    array[:, :, [0, 2, 4]] = 0
    return array


@pytest.fixture
def write(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, tmp_path: Path
) -> Callable[[np.ndarray, str, str, Path], np.ndarray]:
    def writer(array: np.ndarray, geometry: str, format_name: str, folder: Path) -> np.ndarray:
        source = tmp_path / "ct"
        if not source.exists():
            series_maker(stored_ramp, **SERIES[geometry]).save(source)
        affine = load_series([source]).affine
        write_mask(
            Mask(
                array=array, affine=affine, source=(source,), labels=LABELS["lung"], model_name="toy", model_version="1"
            ),
            folder,
            case_id="a",
            format_name=format_name,
        )
        return affine

    return writer


@pytest.mark.parametrize("geometry", SERIES)
@pytest.mark.parametrize("format_name", FORMATS)
def test_a_segmentation_meets_the_nifti_of_the_same_grid(
    write: Any, blob: np.ndarray, folders: tuple[Path, Path], geometry: str, format_name: str
) -> None:
    affine = write(blob, geometry, format_name, folders[0])
    nib.save(nib.Nifti1Image(blob, affine), folders[1] / "a.nii.gz")
    evaluation = evaluate(*folders)
    assert evaluation.failed == {}
    assert [(case.case_id, case.dice, case.hd95) for case in evaluation.cases] == [("a", 1.0, 0.0)]


def test_an_error_is_not_hidden_by_the_frames_left_out(
    write: Any, blob: np.ndarray, folders: tuple[Path, Path]
) -> None:
    affine = write(blob, "axial", "dicomseg", folders[0])
    truth = blob.copy()
    truth[:, :, 0] = 1  # 24 voxels in a frame that the SEG does not have
    nib.save(nib.Nifti1Image(truth, affine), folders[1] / "a.nii.gz")
    (case,) = evaluate(*folders).cases
    assert case.dice == pytest.approx(2 * blob.sum() / (2 * blob.sum() + 24))


def test_two_segmentations_of_different_frames(write: Any, blob: np.ndarray, folders: tuple[Path, Path]) -> None:
    first, second = np.zeros_like(blob), np.zeros_like(blob)
    first[1:3, 1, 1:3] = 1
    second[1:3, 1, 2:4] = 1
    write(first, "oblique coronal", "dicomseg", folders[0])
    write(second, "oblique coronal", "dicomseg", folders[1])
    (case,) = evaluate(*folders).cases
    assert case.dice == pytest.approx(0.5)


def test_another_format_of_the_same_mask_goes_first(write: Any, blob: np.ndarray, folders: tuple[Path, Path]) -> None:
    for format_name in ("nifti", *FORMATS):
        write(blob, "axial", format_name, folders[0])
    write(blob, "axial", "nifti", folders[1])
    (folders[0] / "a_seg.dcm").write_bytes(b"never opened")
    evaluation = evaluate(*folders)
    assert evaluation.complete
    assert [case.dice for case in evaluation.cases] == [1.0]


def test_dicom_images_beside_the_labels_are_no_labels(
    write: Any, blob: np.ndarray, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    write(blob, "axial", "dicomseg", folders[0])
    write(blob, "axial", "dicomseg", folders[1])
    for file in (tmp_path / "ct").iterdir():
        (folders[1] / file.name).write_bytes(file.read_bytes())
    evaluation = evaluate(*folders)
    assert evaluation.complete
    assert [case.dice for case in evaluation.cases] == [1.0]


def test_another_grid_is_refused(write: Any, blob: np.ndarray, folders: tuple[Path, Path]) -> None:
    affine = write(blob, "axial", "dicomseg", folders[0])
    affine[0, 3] += 0.5
    nib.save(nib.Nifti1Image(blob, affine), folders[1] / "a.nii.gz")
    evaluation = evaluate(*folders)
    assert evaluation.cases == []
    assert "a" in evaluation.failed


def test_mask_of_a_photograph(series_maker: Callable[..., Any], folders: tuple[Path, Path], tmp_path: Path) -> None:
    dataset = make_vl_image(series_maker(np.zeros((1, 4, 6), dtype=np.uint16)).slices[0])
    dataset.save_as(tmp_path / "picture.dcm", enforce_file_format=True)
    array = np.zeros((6, 4), dtype=np.uint8)
    array[5, 1:3] = 1
    mask = Mask(
        array=array,
        affine=np.eye(4),
        source=(tmp_path / "picture.dcm",),
        labels=LABELS["skin"],
        model_name="toy",
        model_version="1",
    )
    write_mask(mask, folders[0], case_id="a", format_name="dicomseg")
    write_mask(mask, folders[1], case_id="a", format_name="png")
    (case,) = evaluate(*folders).cases
    assert (case.dice, case.unit) == (1.0, "px")


def test_layers_of_slicer_are_refused(tmp_path: Path) -> None:
    segmentation = slicerio.create_segmentation((3, 3, 3), LPS_TO_RAS)
    for name in ("one", "two"):
        slicerio.add_segment(segmentation, np.ones((3, 3, 3), dtype=bool), {"name": name})
    slicerio.write_segmentation(str(tmp_path / "a.seg.nrrd"), segmentation)
    with pytest.raises(ValueError, match=r"a\.seg\.nrrd: .*overlap"):
        read_mask(tmp_path / "a.seg.nrrd")
