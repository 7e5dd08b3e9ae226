"""Real CT: read as by ITK, repaired to the original, and every odd file with its known content."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom import dcmread
from pydicom.uid import generate_uid

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.series import load_series
from s3net_monai.io.dicom.vl_image import load_vl_image
from s3net_monai.utils.geometry import LPS_TO_RAS


def _affine(image: sitk.Image) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return LPS_TO_RAS @ affine


@pytest.mark.parametrize("folder", ["chest_A0001", "chest_ibsi_rtstruct/image", "abdomen_jpeg2000"])
def test_series_is_what_itk_reads(real_data: Path, folder: str) -> None:
    series = load_series([real_data / "dicom" / folder])
    image = sitk.ReadImage([str(file) for file in series.files])
    np.testing.assert_array_equal(series.array, sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    np.testing.assert_allclose(series.affine, _affine(image), atol=1e-3)
    assert series.notes == ()


def test_structure_sets_beside_a_series_do_not_matter(real_data: Path) -> None:
    folder = real_data / "dicom" / "chest_ibsi_rtstruct"
    assert load_series([folder / "image", folder / "mask"]).array.shape == (204, 201, 60)
    with pytest.raises(CaseError, match="no image files: the DICOM objects here hold no pixel matrix"):
        load_series([folder / "mask"])


def test_filled_slices_are_better_than_copies_of_neighbors(real_data: Path) -> None:
    whole = load_series([real_data / "dicom" / "chest_A0001"])
    missing = [20, 40, 50]
    present = [index for index in range(64) if index not in missing]
    series = load_series([whole.files[index] for index in present], ["missing-slices"])
    assert series.notes == ("3 of 64 slices missing: filled by linear interpolation between neighbors",)
    np.testing.assert_allclose(series.affine, whole.affine, atol=1e-3)
    np.testing.assert_array_equal(series.array[:, :, present], whole.array[:, :, present])
    for index in missing:
        truth = whole.array[:, :, index].astype(int)
        error = np.abs(series.array[:, :, index] - truth).mean()
        copy_errors = [np.abs(whole.array[:, :, index + side] - truth).mean() for side in (-1, 1)]
        assert error < min(copy_errors)


def test_tilted_copies_are_resampled_onto_the_anatomy(real_data: Path, tmp_path: Path) -> None:
    """Slices shifted in their content and moved back by their headers, as a tilted gantry would acquire them."""
    whole = load_series([real_data / "dicom" / "chest_A0001"])
    rows = 3  # of shift per slice: 2.5 mm on 5 mm
    for number, file in enumerate(whole.files[:12]):
        dataset = dcmread(file)
        shifted = np.roll(dataset.pixel_array, -rows * number, axis=0)
        dataset.PixelData = shifted.tobytes()
        x, y, z = (float(value) for value in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, f"{y + rows * number * float(dataset.PixelSpacing[0]):.6f}", z]
        dataset.save_as(tmp_path / file.name)
    with pytest.raises(CaseError, match=r"gantry tilt: slices are sheared by 26\.8 degrees"):
        load_series([tmp_path])
    series = load_series([tmp_path], ["tilt"])
    assert series.array.shape == (512, 512 + 11 * rows, 12)
    # Slice i covers the rows 3 i to 511 of the first slice's matrix; above them there is air.
    for number in range(12):
        anatomy = series.array[:, rows * number : 512, number]
        np.testing.assert_array_equal(anatomy, whole.array[:, rows * number :, number])
        assert (series.array[:, : rows * number, number] == -1024).all()


def test_enhanced_object_of_a_real_series(real_data: Path, tmp_path: Path) -> None:
    files = load_series([real_data / "dicom" / "abdomen_jpeg2000"]).files[:6]
    slices = [dcmread(file) for file in files]
    for dataset in slices:
        dataset.decompress()
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
        dataset.setdefault("SeriesNumber", 1)
        dataset.setdefault("InstanceNumber", 1)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            dataset.setdefault(keyword, "1.2.3")
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(slices[::-1], generate_uid(), 9, generate_uid(), 1)
    enhanced.save_as(tmp_path / "enhanced.dcm")
    series = load_series([tmp_path / "enhanced.dcm"])
    classic = load_series(files)
    np.testing.assert_array_equal(series.array, classic.array)
    np.testing.assert_allclose(series.affine, classic.affine, atol=1e-6)


# Range of HU and spacing (column, row, slice) in mm of every file.
ODD = {
    "A002304_axial_19001231-076.dcm": (-1024, 1112, (0.826172, 0.826172, 2.5)),
    "A002304_axial_19010112-135.dcm": (-1024, 3071, (0.640625, 0.640625, 1.25)),
    "A002304_coronal_19001231-076.dcm": (-1024, 1425, (1.322021, 1.322021, 2.999999)),
    "A002304_coronal_19010112-124.dcm": (-1024, 1345, (0.632381, 0.632381, 1.25)),
    "A002304_sagittal_19001231-080.dcm": (-1024, 1626, (1.322021, 1.322021, 2.999999)),
    "A002304_sagittal_19010112-134.dcm": (-1024, 1794, (0.644527, 0.644527, 1.25)),
    "A027284_axial_19000925-116.dcm": (-1024, 3071, (0.878906, 0.878906, 2.5)),
    "A027284_axial_19001231-131.dcm": (-1024, 1083, (0.9375, 0.9375, 2.5)),
    "lungmask_0.dcm": (-2048, 1502, (0.625, 0.625, 1.0)),
    "lungmask_1.dcm": (-2048, 1502, (0.625, 0.625, 1.0)),
}


def test_every_odd_file_is_known(real_data: Path) -> None:
    assert {file.name for file in (real_data / "dicom" / "odd_single_files").iterdir()} == set(ODD)


@pytest.mark.parametrize("name", ODD)
def test_odd_files_load_alone(real_data: Path, name: str) -> None:
    low, high, spacing = ODD[name]
    path = real_data / "dicom" / "odd_single_files" / name
    series = load_series([path])
    assert (series.array.min(), series.array.max()) == (low, high)
    np.testing.assert_allclose(np.linalg.norm(series.affine[:3, :3], axis=0), spacing, atol=1e-4)
    stored = dcmread(path)
    plain = stored.pixel_array.T.astype(int) * int(stored.RescaleSlope) + int(stored.RescaleIntercept)
    padding = stored.get("PixelPaddingValue", 99999)
    inside = ~np.equal(stored.pixel_array.T, padding)
    np.testing.assert_array_equal(series.array[:, :, 0][inside], plain[inside])
    assert (series.array[:, :, 0][~inside] == -1024).all()


def test_ct_is_not_a_vl_image(real_data: Path) -> None:
    with pytest.raises(CaseError, match=r"1-04\.dcm: not a VL image but CT Image Storage"):
        load_vl_image(real_data / "dicom" / "chest_A0001" / "1-04.dcm")
