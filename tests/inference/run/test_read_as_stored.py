"""Tests of reading a series as 16-bit integers, against the bundle's own reading steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd

from s3net_monai.inference.run.read_as_stored import read_as_stored
from s3net_monai.io import CaseError, DicomSeriesReader, NiftiReader
from s3net_monai.transforms import CTValuesd, FillNonFinited, ResampleToSpacingd
from tests.helpers.ct_series import SeriesMaker

RESAMPLING = Compose([FillNonFinited("image"), CTValuesd("image"), ResampleToSpacingd("image", (2.0, 2.0, 2.0))])


def reading(readers: list[Any]) -> Compose:
    return Compose([LoadImaged("image", reader=readers), EnsureChannelFirstd("image")])


@pytest.fixture
def paths(tmp_path: Path, stored_ramp: np.ndarray, series_maker: Callable[..., SeriesMaker]) -> list[str]:
    folder = series_maker(stored_ramp, pixel_spacing=(0.5, 0.9)).save(tmp_path / "ct")
    return sorted(map(str, folder.iterdir()))


def test_equals_the_reading_steps(paths: list[str]) -> None:
    steps = reading([NiftiReader(), DicomSeriesReader()])
    result, expected = read_as_stored(paths, steps, RESAMPLING), steps({"image": paths})["image"]
    assert result is not None
    assert result.dtype == torch.int16
    assert torch.equal(result.as_tensor().float(), expected.as_tensor())
    assert set(result.meta) == set(expected.meta)
    for name, value in expected.meta.items():
        np.testing.assert_equal(np.asarray(result.meta[name]), np.asarray(value), err_msg=name)
    np.testing.assert_equal(result.affine.numpy(), expected.affine.numpy())


def test_is_left_to_steps_that_count_on_floating_point_and_to_other_readers(paths: list[str]) -> None:
    turned_first = Compose([Orientationd("image", axcodes="RAS", labels=None), *RESAMPLING.transforms])
    assert read_as_stored(paths, reading([DicomSeriesReader()]), turned_first) is None
    assert read_as_stored(paths, reading([DicomSeriesReader()]), Compose([])) is None
    assert read_as_stored(paths, reading([DicomSeriesReader(), NiftiReader()]), RESAMPLING) is None
    assert read_as_stored([*paths, "ct.nii.gz"], reading([DicomSeriesReader()]), RESAMPLING) is None


def test_refusals_are_those_of_the_reader(paths: list[str]) -> None:
    with pytest.raises(CaseError, match="not MR but"):
        read_as_stored(paths, reading([DicomSeriesReader(modality="MR")]), RESAMPLING)
