"""Stored values to Hounsfield units: rescale, padding, signedness, unused bits; wrong values are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.series import load_series

Load = Callable[..., np.ndarray]


@pytest.fixture
def hounsfield(series_maker: Callable[..., Any], tmp_path: Path) -> Load:
    """HU of one slice whose stored values are one row, after setting tags."""

    def load(values: list[int], dtype: type = np.uint16, compress: bool = False, **tags: Any) -> np.ndarray:
        (dataset,) = series_maker(np.array([[values]], dtype=dtype)).slices
        dataset["PixelData"].VR = "OW" if dtype != np.uint8 else "OB"
        for keyword, value in tags.items():
            if value is None:
                del dataset[keyword]
            elif isinstance(value, tuple):  # (VR, value)
                dataset.add_new(keyword, *value)
            else:
                setattr(dataset, keyword, value)
        if compress:
            dataset.compress(RLELossless)
        dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        array: np.ndarray = load_series([tmp_path / "a.dcm"]).array[:, 0, 0]
        return array

    return load


def test_padding_from_value_to_limit(hounsfield: Load) -> None:
    loaded = hounsfield([-2000, -1999, -1000, -999, 0, 5], np.int16, RescaleIntercept=0, PixelPaddingValue=-2000)
    assert loaded.tolist() == [-1024, -1999, -1000, -999, 0, 5]
    loaded = hounsfield(
        [-2000, -1999, -1000, -999, 0, 5],
        np.int16,
        RescaleIntercept=0,
        PixelPaddingValue=-1000,
        PixelPaddingRangeLimit=-2000,
    )
    assert loaded.tolist() == [-1024, -1024, -1024, -999, 0, 5]


def test_padding_limit_of_zero_counts(hounsfield: Load) -> None:
    loaded = hounsfield([0, 1, 2, 3, 2000], PixelPaddingValue=2, PixelPaddingRangeLimit=0)
    assert loaded.tolist() == [-1024, -1024, -1024, -1021, 976]


def test_negative_padding_stored_as_unsigned(hounsfield: Load) -> None:
    loaded = hounsfield([-2000, 40], np.int16, RescaleIntercept=0, PixelPaddingValue=("US", 63536))
    assert loaded.tolist() == [-1024, 40]


def test_signed_padding_of_unsigned_values(hounsfield: Load) -> None:
    loaded = hounsfield([63536, 40], PixelPaddingValue=("SS", -2000))
    assert loaded.tolist() == [-1024, -984]


def test_padding_in_unused_high_bits_spares_equal_low_bits(hounsfield: Load) -> None:
    # 0xF830 is padding; 0x0830 has the same twelve low bits and is bone.
    loaded = hounsfield([0xF830, 0x0830], BitsStored=12, HighBit=11, PixelPaddingValue=("US", 0xF830))
    assert loaded.tolist() == [-1024, 0x0830 - 1024]


@pytest.mark.parametrize("compress", [False, True])
def test_overlays_in_unused_bits_are_cut_off(hounsfield: Load, compress: bool) -> None:
    values = [0x1400, 0x8401, 0x0402, 0xF403]
    loaded = hounsfield(values, BitsStored=12, HighBit=11, compress=compress)
    assert loaded.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("compress", [False, True])
def test_sign_reaches_as_far_as_the_stored_bits(hounsfield: Load, compress: bool) -> None:
    # Twelve signed bits without sign extension: 0x0FFF is -1, 0x0800 is -2048.
    values = [0x0FFF, 0x0800, 0x07FF, 0x5001]
    loaded = hounsfield(values, np.int16, BitsStored=12, HighBit=11, RescaleIntercept=0, compress=compress)
    assert loaded.tolist() == [-1, -2048, 2047, 1]


def test_padding_of_twelve_signed_bits(hounsfield: Load) -> None:
    loaded = hounsfield(
        [0x0830, 0x0028], np.int16, BitsStored=12, HighBit=11, RescaleIntercept=0, PixelPaddingValue=-2000
    )
    assert loaded.tolist() == [-1024, 40]


def test_big_endian_with_padding_and_overlay(hounsfield: Load, series_maker: Any, tmp_path: Path) -> None:
    (dataset,) = series_maker(np.zeros((1, 1, 3), dtype=np.uint16)).slices
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = np.array([0x1400, 7, 0x0402], dtype=">u2").tobytes()
    dataset.BitsStored, dataset.HighBit, dataset.PixelPaddingValue = 12, 11, 7
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert load_series([tmp_path / "a.dcm"]).array[:, 0, 0].tolist() == [0, -1024, 2]


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint32, 32), (np.int32, 32)])
def test_eight_and_thirty_two_bits(hounsfield: Load, dtype: type, bits: int) -> None:
    loaded = hounsfield([0, 100, 127, 5], dtype, BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1)
    assert loaded.tolist() == [-1024, -924, -897, -1019]


def test_thirty_two_bits_are_clipped_not_wrapped(hounsfield: Load) -> None:
    loaded = hounsfield([2**31 - 1, -(2**31)], np.int32, BitsAllocated=32, BitsStored=32, HighBit=31, RescaleSlope=2)
    assert loaded.tolist() == [32767, -32768]


def test_whole_slope_above_one_does_not_overflow(hounsfield: Load) -> None:
    assert hounsfield([60000, 3], RescaleSlope=100, RescaleIntercept=-200).tolist() == [32767, 100]


def test_inverted_display_leaves_values(hounsfield: Load) -> None:
    assert hounsfield([0, 1024], PhotometricInterpretation="MONOCHROME1").tolist() == [-1024, 0]


def _table(kind: str = "HU") -> list[Dataset]:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4, 0, 16])
    item.ModalityLUTType = kind
    item.add_new("LUTData", "US", [100, 200, 400, 800])
    return [item]


def test_modality_table(hounsfield: Load) -> None:
    loaded = hounsfield([0, 1, 2, 3, 9], RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=_table())
    assert loaded.tolist() == [100, 200, 400, 800, 800]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"RescaleSlope": None}, "no RescaleSlope, so its values are not Hounsfield units"),
        ({"RescaleIntercept": None}, "no RescaleIntercept"),
        ({"RescaleSlope": ""}, "no RescaleSlope"),
        ({"RescaleSlope": 0}, "rescale by 0.0 and -1024.0 does not give Hounsfield units"),
        ({"RescaleSlope": -1}, "does not give Hounsfield units"),
        ({"RescaleSlope": "1E6"}, "does not give Hounsfield units"),
        ({"RescaleIntercept": "1E9"}, "does not give Hounsfield units"),
        ({"RescaleSlope": "NaN"}, "no usable RescaleSlope"),
        ({"RescaleSlope": [1, 2]}, "no usable RescaleSlope"),
        ({"RescaleType": "Z_EFF"}, "values of Z_EFF found, Hounsfield units expected"),
        ({"ModalityLUTSequence": _table("OD")}, "values of OD found"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR found, gray CT expected"),
        ({"HighBit": 15, "BitsStored": 12}, "12 bits up to bit 15 in 16 allocated"),
        ({"BitsStored": 0}, "0 bits up to bit 15 in 16 allocated"),
        ({"BitsStored": 17}, "17 bits up to bit 15 in 16 allocated"),
        ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "12 bits up to bit 11 in 12 allocated"),
        ({"BitsAllocated": None}, "no usable BitsAllocated"),
        ({"PixelRepresentation": None}, "no usable PixelRepresentation"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "pixel data too long, 8 bytes found, 4 expected"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "pixel data truncated, 8 bytes found, 16 expected"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_values_without_meaning_are_refused(hounsfield: Load, tags: dict[str, Any], reason: str) -> None:
    with pytest.raises(CaseError, match=rf"a\.dcm: .*{reason}") as caught:
        hounsfield([1, 2, 3, 4], **tags)
    assert "\n" not in str(caught.value)
