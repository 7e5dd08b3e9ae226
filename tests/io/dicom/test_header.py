"""Headers of single slices: names for messages, and values that are checked when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.header import SliceHeader, quote_term, read_directions, read_integer, read_numbers


def header(**attributes: Any) -> SliceHeader:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return SliceHeader(dataset, Path("folder of a patient/a.dcm"))


@pytest.mark.parametrize(
    ("frame_index", "num_frames", "name"), [(None, 1, "a.dcm"), (0, 1, "a.dcm"), (4, 9, "a.dcm frame 5")]
)
def test_name_has_no_folder_and_the_frame_of_several(frame_index: int | None, num_frames: int, name: str) -> None:
    path = Path("folder of a patient/a.dcm")
    assert SliceHeader(Dataset(), path, frame_index=frame_index, num_frames=num_frames).name == name


def test_attributes_are_those_of_the_dataset() -> None:
    image = header(Rows=4, Modality="CT")
    assert (image.get("Rows"), image.get("Columns"), image.get("Columns", 7)) == (4, None, 7)
    assert "Modality" in image
    assert "Columns" not in image


def test_numbers_are_counted_and_finite() -> None:
    assert read_numbers(header(PixelSpacing=[0.5, 0.8]), "PixelSpacing", 2).tolist() == [0.5, 0.8]
    for image in (header(), header(PixelSpacing=[0.5, 0.8, 1.0])):
        with pytest.raises(CaseError, match=r"a\.dcm: no usable PixelSpacing \(2 numbers expected\)"):
            read_numbers(image, "PixelSpacing", 2)


def test_integers_are_whole_and_may_have_a_default() -> None:
    assert read_integer(header(Rows=4), "Rows") == 4
    assert read_integer(header(), "NumberOfFrames", 1) == 1
    with pytest.raises(CaseError, match="no usable Rows"):
        read_integer(header(), "Rows")
    with pytest.raises(CaseError, match=r"SliceThickness 2\.5 is not a whole number"):
        read_integer(header(SliceThickness=2.5), "SliceThickness")


def test_normal_is_perpendicular_to_rows_and_columns() -> None:
    row, column, normal = read_directions(header(ImageOrientationPatient=[0.8, 0.6, 0.0, -0.36, 0.48, 0.8]))
    np.testing.assert_allclose([normal @ row, normal @ column, normal @ normal], [0, 0, 1], atol=1e-12)
    with pytest.raises(CaseError, match="not two perpendicular unit vectors"):
        read_directions(header(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]))


def test_only_coded_strings_are_quoted() -> None:
    assert quote_term("CT") == "CT"
    assert quote_term("Doe^Jane") == "an unreadable value"
