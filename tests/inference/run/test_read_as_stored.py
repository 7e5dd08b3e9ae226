"""Tests of reading a series as 16-bit integers, against the bundle's own reading steps."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd

from s3net_monai.inference import Bundle, Settings, find_cases, load_bundle, run_batch
from s3net_monai.inference.run import batch, segmenter
from s3net_monai.inference.run.outputs import OutputWriter
from s3net_monai.inference.run.read_as_stored import read_as_stored
from s3net_monai.inference.run.segmenter import SourceImage
from s3net_monai.io import CaseError, DicomSeriesReader, NiftiReader
from s3net_monai.transforms import CTValuesd, FillNonFinited, ResampleToSpacingd
from s3net_monai.utils.mapped_stack import MappedStack
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
    read, expected = read_as_stored(paths, steps, RESAMPLING), steps({"image": paths})["image"]
    assert read is not None
    result, stack = read
    assert stack is None
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


@pytest.fixture
def resampling_bundle(lung_bundle: Path) -> Bundle:
    """The toy bundle, resampling before it turns the axes, as the released one does."""
    file = lung_bundle / "configs" / "inference.json"
    config = json.loads(file.read_text())
    resample = {"_target_": "s3net_monai.transforms.ResampleToSpacingd", "keys": "image", "pixdim": [1.0, 1.0, 2.0]}
    config["preprocessing"]["transforms"].insert(-1, resample)
    file.write_text(json.dumps(config))
    return load_bundle("lung", lung_bundle, torch.device("cpu"))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_gives_the_same_from_a_file_and_leaves_none(
    resampling_bundle: Bundle,
    series_maker: Callable[..., SeriesMaker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    stored = np.random.default_rng(0).integers(0, 1500, (6, 8, 10)).astype(np.uint16)
    folder = series_maker(stored, orientation=(-1, 0, 0, 0, -1, 0)).save(tmp_path / "in" / "ct")
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    sources: list[Any] = []
    write = OutputWriter.write_case

    def spy(*arguments: Any, **keywords: Any) -> Any:
        sources.append(keywords["source"].image)
        return write(*arguments, **keywords)

    monkeypatch.setattr(OutputWriter, "write_case", spy)
    entries = []
    for name in ("file", "memory"):
        settings = Settings(formats=("nifti", "dicomseg"), workers=workers)
        report = run_batch(find_cases([folder]).cases, resampling_bundle, tmp_path / name, settings=settings)
        assert list((tmp_path / "temp").iterdir()) == []
        entries.append(report.cases["ct"])
        monkeypatch.setattr(batch, "scratch_folder", _no_room)
    assert isinstance(sources[0], MappedStack)
    assert not sources[0].path.exists()
    assert isinstance(sources[1], np.ndarray)
    assert [entry.status for entry in entries] == ["ok", "ok"]
    assert entries[0].measures["mean_hu"] < -400
    assert entries[0].measures == entries[1].measures
    for ending in ("ct_seg.nii.gz", "ct_preview.jpg"):
        assert (tmp_path / "file" / ending).read_bytes() == (tmp_path / "memory" / ending).read_bytes()


def test_values_that_preprocessing_changes_leave_the_file(
    paths: list[str], resampling_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def double(image: Any, modality: str) -> SourceImage:
        return SourceImage(image=image[0].numpy() * 2, uniform=False, spacing=None, notes=())

    monkeypatch.setattr(segmenter, "_source_image", double)
    (case,) = find_cases([Path(paths[0]).parent]).cases
    source = segmenter.read_case(case, resampling_bundle, tmp_path)["source"]
    assert isinstance(source.image, np.ndarray)
    assert list(tmp_path.glob("*.stack")) == []


def _no_room() -> None:
    raise OSError(28, "No space left on device")
