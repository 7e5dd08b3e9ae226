"""Write, then read back with another library: every voxel where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from s3net_monai.io import FORMATS, LABELS, CaseError, Code, Label, Mask, write_mask
from s3net_monai.io.dicom_series import load_series

ANGLE = np.deg2rad(15)
OBLIQUE = (np.cos(ANGLE), np.sin(ANGLE), 0.0, -np.sin(ANGLE), np.cos(ANGLE), 0.0)
TILTED_PLANE = (1.0, 0.0, 0.0, 0.0, np.cos(ANGLE), np.sin(ANGLE))
ROTATION = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1]])
AFFINES = {
    "identity": np.diag([1.0, 1, 1, 1]),
    "LPS": np.diag([-0.8, -0.8, 2.5, 1]),
    "negative diagonal": np.diag([-1.0, -2, -3, 1]),
    "oblique": np.block([[ROTATION @ np.diag([0.7, 0.7, 5]), np.array([[10.0], [-20], [30]])], [np.zeros((1, 3)), 1]]),
    "anisotropic": np.diag([0.5, 0.9, 7, 1]),
}


def make_mask(array: np.ndarray, affine: np.ndarray, source: Path, labels: tuple[Label, ...] = LABELS["lung"]) -> Mask:
    return Mask(array, affine, (source,), labels, "toy", "1.2.3")


@pytest.fixture
def blob() -> np.ndarray:
    """(6, 4, 5) without any symmetry."""
    return (np.random.default_rng(0).random((6, 4, 5)) > 0.6).astype(np.uint8)


@pytest.mark.parametrize("name", AFFINES)
def test_nifti_keeps_the_source_header_bit_for_bit(name: str, blob: np.ndarray, tmp_path: Path) -> None:
    source = nib.Nifti1Image(np.zeros(blob.shape, dtype=np.int16), AFFINES[name])
    source.set_qform(AFFINES[name], 1)
    source.set_sform(AFFINES[name], 2)
    source.header["descrip"] = b"somebody's name"
    nib.save(source, tmp_path / "in.nii.gz")
    stored = nib.load(tmp_path / "in.nii.gz")
    path = write_mask(make_mask(blob, stored.affine, tmp_path / "in.nii.gz"), tmp_path, "case", "nifti")
    assert path.name == "case_seg.nii.gz"
    written = nib.load(path)
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(written.dataobj), blob)
    np.testing.assert_array_equal(written.affine, stored.affine)
    np.testing.assert_array_equal(written.header.get_qform(), stored.header.get_qform())
    assert (int(written.header["qform_code"]), int(written.header["sform_code"])) == (1, 2)
    assert written.header["descrip"].item() == b""


def test_nifti_of_a_dicom_series_has_its_affine(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    folder = series_maker(stored_ramp, orientation=OBLIQUE, pixel_spacing=(0.5, 0.9)).save(tmp_path / "ct")
    series = load_series([folder])
    written = nib.load(write_mask(make_mask(blob, series.affine, folder), tmp_path, "case", "nifti"))
    np.testing.assert_allclose(written.affine, series.affine, atol=1e-5)
    np.testing.assert_allclose(written.get_qform(), series.affine, atol=1e-4)


def test_png_is_transposed_back_and_white_for_one_class(tmp_path: Path) -> None:
    array = np.zeros((3, 2), dtype=np.uint8)
    array[2, 0] = 1  # right column, top row
    path = write_mask(make_mask(array, np.eye(4), tmp_path / "a.png", LABELS["skin"]), tmp_path, "a", "png")
    assert np.asarray(Image.open(path)).tolist() == [[0, 0, 255], [0, 0, 0]]


def test_png_of_several_classes_holds_their_values(tmp_path: Path) -> None:
    code = Code("1", "x")
    labels = tuple(Label(value, str(value), (0, 0, 0), code, code) for value in (1, 2))
    array = np.array([[0, 1], [2, 0]], dtype=np.uint8)[..., None]
    path = write_mask(make_mask(array, np.eye(4), tmp_path / "a.png", labels), tmp_path, "a", "png")
    assert np.asarray(Image.open(path)).tolist() == [[0, 2], [1, 0]]


def test_png_refuses_a_volume_and_leaves_no_file(blob: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="one slice, the mask has 5"):
        write_mask(make_mask(blob, np.eye(4), tmp_path / "a.nii"), tmp_path, "a", "png")
    assert list(tmp_path.iterdir()) == []


def voxels_in_patient(path: Path) -> set[tuple[float, ...]]:
    """LPS positions of all foreground voxels of a SEG, from its frames' own geometry."""
    seg = dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    row_spacing, column_spacing = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    found = set()
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        origin = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for y, x in np.argwhere(frame):
            found.add(tuple(np.round(origin + row * column_spacing * x + column * row_spacing * y, 2)))
    return found


@pytest.mark.parametrize(
    ("orientation", "pixel_spacing", "step"),
    [
        ((1, 0, 0, 0, 1, 0), (1.0, 1.0), 2.0),
        ((1, 0, 0, 0, 1, 0), (1.0, 1.0), -2.0),
        (OBLIQUE, (0.5, 0.9), 2.0),
        (TILTED_PLANE, (0.7, 0.7), 3.0),
    ],
    ids=["axial", "reversed", "oblique-non-square", "tilted-plane"],
)
def test_seg_reads_back_voxel_for_voxel(
    series_maker: Callable[..., Any],
    stored_ramp: np.ndarray,
    blob: np.ndarray,
    tmp_path: Path,
    orientation: Any,
    pixel_spacing: Any,
    step: float,
) -> None:
    maker = series_maker(stored_ramp, orientation=orientation, pixel_spacing=pixel_spacing, step=step)
    folder = maker.save(tmp_path / "ct")
    series = load_series([folder])
    path = write_mask(make_mask(blob, series.affine, folder), tmp_path, "case", "dicomseg")
    homogeneous = np.c_[np.argwhere(blob), np.ones(int(blob.sum()))]
    expected = {tuple(np.round(lps, 2)) for lps in (homogeneous @ series.affine.T)[:, :3] * [-1, -1, 1]}
    assert voxels_in_patient(path) == expected

    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    positions = volume.map_indices_to_reference(np.argwhere(volume.array))
    assert {tuple(position) for position in np.round(positions, 2)} == expected


def test_seg_says_what_it_is(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    folder = maker.save(tmp_path / "ct")
    seg = dcmread(write_mask(make_mask(blob, load_series([folder]).affine, folder), tmp_path, "case", "dicomseg"))
    source = maker.slices[0]
    assert seg.SegmentationType == "BINARY"
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert seg.SeriesDescription == "S3-Net segmentation: lung"
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    segment = seg.SegmentSequence[0]
    assert segment.SegmentLabel == "lung"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "39607008"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("toy", "1.2.3")


def test_empty_seg_is_written_with_all_its_frames(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    folder = series_maker(stored_ramp).save(tmp_path / "ct")
    mask = make_mask(np.zeros_like(blob), load_series([folder]).affine, folder)
    seg = dcmread(write_mask(mask, tmp_path, "case", "dicomseg"))
    assert seg.NumberOfFrames == 5
    assert not seg.pixel_array.any()
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["lung"]


def test_seg_needs_a_dicom_source(blob: np.ndarray, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(blob, np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(CaseError, match="needs a DICOM series"):
        write_mask(make_mask(blob, np.eye(4), tmp_path / "a.nii.gz"), tmp_path, "a", "dicomseg")


def test_seg_needs_what_it_refers_to(
    series_maker: Callable[..., Any], stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path
) -> None:
    maker = series_maker(stored_ramp)
    for dataset in maker.slices:
        dataset.StudyInstanceUID = ""
    folder = maker.save(tmp_path / "ct")
    with pytest.raises(CaseError, match="no StudyInstanceUID"):
        write_mask(make_mask(blob, load_series([folder]).affine, folder), tmp_path, "a", "dicomseg")


def test_a_failed_write_keeps_the_earlier_file(
    blob: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a_seg.nii.gz"
    path.write_bytes(b"earlier")

    def break_off(mask: Mask, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setitem(FORMATS, "nifti", type(FORMATS["nifti"])(".nii.gz", break_off))
    with pytest.raises(OSError, match="disk full"):
        write_mask(make_mask(blob, np.eye(4), tmp_path / "a.nii"), tmp_path, "a", "nifti")
    assert path.read_bytes() == b"earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["a_seg.nii.gz"]


@pytest.mark.parametrize("folder", ["chest_A0001", "chest_ibsi_rtstruct/image"])
def test_real_series_to_seg_and_back(real_data: Path, tmp_path: Path, folder: str) -> None:
    series = load_series([real_data / "dicom" / folder])
    array = (series.array < -500).astype(np.uint8)
    path = write_mask(make_mask(array, series.affine, real_data / "dicom" / folder), tmp_path, "case", "dicomseg")
    frames = {}
    seg = dcmread(path)
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        depth = float(groups.PlanePositionSequence[0].ImagePositionPatient[2])
        frames[round((depth - series.affine[2, 3]) / series.affine[2, 2])] = frame
    stack = np.stack([frames.get(z, np.zeros_like(frame)) for z in range(array.shape[2])])
    np.testing.assert_array_equal(stack.transpose(2, 1, 0), array)
