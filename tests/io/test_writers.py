"""Masks are read back by other libraries with every voxel at its position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from s3net_monai.io import FORMATS, CaseError, Code, Label, Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.io.writers import Format
from s3net_monai.tasks import TASKS
from tests.helpers.dicom_tools import AFFINES, SERIES, read_with_simpleitk, to_itk_image


def make_mask(
    array: np.ndarray, affine: np.ndarray, source: Path, labels: tuple[Label, ...] = TASKS["lung"].labels
) -> Mask:
    return Mask(array=array, affine=affine, source=(source,), labels=labels, model_name="toy", model_version="1.2.3")


@pytest.mark.parametrize("name", AFFINES)
def test_nifti_keeps_the_source_header_bit_for_bit(name: str, blob: np.ndarray, tmp_path: Path) -> None:
    source = nib.Nifti1Image(np.zeros(blob.shape, dtype=np.int16), AFFINES[name])
    source.set_qform(AFFINES[name], 1)
    source.set_sform(AFFINES[name], 2)
    source.header["descrip"] = b"somebody's name"
    nib.save(source, tmp_path / "in.nii.gz")
    stored = nib.load(tmp_path / "in.nii.gz")
    path = write_mask(
        make_mask(blob, stored.affine, tmp_path / "in.nii.gz"), tmp_path, case_id="case", format_name="nifti"
    )
    assert path.name == "case_seg.nii.gz"
    written = nib.load(path)
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(written.dataobj), blob)
    np.testing.assert_array_equal(written.affine, stored.affine)
    np.testing.assert_array_equal(written.header.get_qform(), stored.header.get_qform())
    assert (int(written.header["qform_code"]), int(written.header["sform_code"])) == (1, 2)
    assert written.header["descrip"].item() == b""


@pytest.mark.parametrize("slices", [1, 5])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("name", AFFINES)
def test_nifti_has_the_position_that_itk_reads(
    name: str, suffix: str, slices: int, blob: np.ndarray, tmp_path: Path
) -> None:
    array = blob[:, :, :slices]
    source = tmp_path / f"in{suffix}"
    SimpleITK.WriteImage(to_itk_image(array, AFFINES[name]), str(source))
    _, affine = read_with_simpleitk(source)
    path = write_mask(make_mask(array, affine, source), tmp_path, case_id="case", format_name="nifti")
    written, written_affine = read_with_simpleitk(path)
    np.testing.assert_array_equal(written, array)
    np.testing.assert_allclose(written_affine, AFFINES[name], atol=1e-4)
    np.testing.assert_allclose(nib.load(path).affine, AFFINES[name], atol=1e-4)


@pytest.mark.parametrize("geometry", SERIES)
def test_nifti_of_a_dicom_series_has_its_affine(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, geometry: str
) -> None:
    folder = series_maker(stored_ramp, **SERIES[geometry]).save(tmp_path / "ct")
    series = load_series([folder])
    written = nib.load(
        write_mask(make_mask(blob, series.affine, folder), tmp_path, case_id="case", format_name="nifti")
    )
    np.testing.assert_allclose(written.affine, series.affine, atol=1e-5)
    np.testing.assert_allclose(written.get_qform(), series.affine, atol=1e-4)


def test_png_is_transposed_back_and_white_for_one_class(tmp_path: Path) -> None:
    array = np.zeros((3, 2), dtype=np.uint8)
    array[2, 0] = 1  # right column, top row
    path = write_mask(
        make_mask(array, np.eye(4), tmp_path / "a.png", TASKS["skin"].labels), tmp_path, case_id="a", format_name="png"
    )
    assert np.asarray(Image.open(path)).tolist() == [[0, 0, 255], [0, 0, 0]]


def test_png_of_several_classes_holds_their_values(tmp_path: Path) -> None:
    code = Code("1", "x")
    labels = tuple(Label(value=value, name=str(value), rgb=(0, 0, 0), category=code, type=code) for value in (1, 2))
    array = np.array([[0, 1], [2, 0]], dtype=np.uint8)[..., None]
    path = write_mask(make_mask(array, np.eye(4), tmp_path / "a.png", labels), tmp_path, case_id="a", format_name="png")
    assert np.asarray(Image.open(path)).tolist() == [[0, 2], [1, 0]]


def test_png_refuses_a_volume_and_leaves_no_file(blob: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="one slice, the mask has 5"):
        write_mask(make_mask(blob, np.eye(4), tmp_path / "a.nii"), tmp_path, case_id="a", format_name="png")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_earlier_file(
    blob: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a_seg.nii.gz"
    path.write_bytes(b"earlier")

    def break_off(mask: Mask, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setitem(FORMATS, "nifti", Format(".nii.gz", break_off, "", ""))
    with pytest.raises(OSError, match="disk full"):
        write_mask(make_mask(blob, np.eye(4), tmp_path / "a.nii"), tmp_path, case_id="a", format_name="nifti")
    assert path.read_bytes() == b"earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["a_seg.nii.gz"]


def test_formats_are_described_and_their_names_differ() -> None:
    assert len({file_format.extension for file_format in FORMATS.values()}) == len(FORMATS)
    for file_format in FORMATS.values():
        assert file_format.title
        assert file_format.holds
        assert "|" not in file_format.title + file_format.holds  # they are cells of the README's table
