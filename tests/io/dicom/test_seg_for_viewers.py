"""What DICOM SEG owes to viewers that read less of the standard than there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from s3net_monai.io import FORMATS, Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS
from tests.helpers.dicom_seg_writing import TYPES, Maker, write
from tests.helpers.dicom_tools import SERIES


def cautions(array: np.ndarray, folder: Path, output: Path, format_name: str = "dicomseg") -> list[str]:
    """The warnings about a written mask."""
    path = write(array, folder, output, format_name)
    mask = Mask(
        array=array,
        affine=load_series([folder]).affine,
        source=(folder,),
        labels=TASKS["lung"].labels,
        model_name="toy",
        model_version="1",
    )
    return FORMATS[format_name].warnings(mask, path)


@pytest.mark.parametrize("format_name", TYPES)
def test_the_nth_item_describes_segment_n(series_maker: Maker, tmp_path: Path, format_name: str) -> None:
    folder = series_maker(np.zeros((2, 4, 6), np.int16)).save(tmp_path / "ct")
    series = load_series([folder])
    array = np.zeros(series.array.shape, np.uint8)
    array[0, 0, 0], array[1, 0, 0], array[2, 0, 0] = 1, 2, 3
    mask = Mask(
        array=array,
        affine=series.affine,
        source=(folder,),
        labels=TASKS["cardiac"].labels,
        model_name="toy",
        model_version="1",
    )
    seg = dcmread(write_mask(mask, tmp_path, case_id="case", format_name=format_name))
    described = [(item.SegmentNumber, item.SegmentLabel) for item in seg.SegmentSequence]
    assert described[:3] == [(1, "RV"), (2, "MYO"), (3, "LV")]
    # A label map describes the value of its background, too (PixelPaddingValue).
    assert described[3:] == ([] if format_name == "dicomseg" else [(0, "Background")])
    assert seg.get("PixelPaddingValue", None) == (None if format_name == "dicomseg" else 0)


@pytest.mark.parametrize("geometry", ["axial", "reversed", "coronal", "oblique coronal", "tilted by 15 degrees"])
def test_frames_of_a_label_map_ascend_along_the_normal(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, geometry: str
) -> None:
    folder = series_maker(stored_ramp, **SERIES[geometry]).save(tmp_path / "ct")
    seg = dcmread(write(blob, folder, tmp_path, "dicomseg-labelmap"))
    plane = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    normal = np.cross(*np.array(plane.ImageOrientationPatient, dtype=float).reshape(2, 3))
    groups = seg.PerFrameFunctionalGroupsSequence
    heights = [normal @ np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float) for group in groups]
    assert len(heights) == 4
    assert heights == sorted(heights)
    seg.decompress()
    assert seg.pixel_array.sum() == blob.sum()


@pytest.mark.parametrize(
    ("slices", "rows", "columns", "expected"),
    [
        (3, 5, 6, "dicomseg: frames of 5 x 6 pixels, no multiple of 8: OHIF"),
        (2, 3, 3, "dicomseg: frames of 3 x 3 pixels, no multiple of 8: OHIF"),
        (3, 4, 6, ""),  # 24 pixels
        (3, 8, 3, ""),
        (1, 5, 6, ""),  # one frame begins with a byte
    ],
)
def test_a_binary_file_whose_frames_begin_within_a_byte_has_a_caution(
    series_maker: Maker, tmp_path: Path, slices: int, rows: int, columns: int, expected: str
) -> None:
    folder = series_maker(np.zeros((slices, rows, columns), np.int16)).save(tmp_path / "ct")
    mask = np.ones((columns, rows, slices), np.uint8)
    for format_name in TYPES:
        found = cautions(mask, folder, tmp_path, format_name)
        if format_name == "dicomseg" and expected:
            assert len(found) == 1
            assert found[0].startswith(expected)
            assert found[0].endswith("dicomseg-labelmap is safe")
        else:
            assert found == []


def test_frames_are_counted_as_they_are_written(series_maker: Maker, tmp_path: Path) -> None:
    """Frames without foreground are left out, so one may remain; several segments have a frame each."""
    folder = series_maker(np.zeros((3, 5, 6), np.int16)).save(tmp_path / "ct")
    mask = np.zeros((6, 5, 3), np.uint8)
    mask[0, 0, 1] = 1
    assert cautions(mask, folder, tmp_path) == []
    mask[0, 0, 2] = 1
    assert len(cautions(mask, folder, tmp_path)) == 1
