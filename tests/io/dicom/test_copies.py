"""Copies of one file count once, and unequal ones are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from s3net_monai.io import CaseError
from s3net_monai.io.dicom import copies
from s3net_monai.io.dicom.copies import are_copies
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.dicom.series import load_series
from tests.helpers.enhanced_ct import enhanced_ct

Maker = Callable[..., Any]


def _ramp(count: int) -> np.ndarray:
    return np.broadcast_to(np.arange(count, dtype=np.uint16)[:, None, None], (count, 3, 4))


def test_equal_copies_count_once(series_maker: Maker, tmp_path: Path) -> None:
    folder = series_maker(_ramp(4)).save(tmp_path / "ct")
    clean = load_series([folder])
    for file in list(folder.iterdir()):
        shutil.copy(file, folder / f"COPY OF {file.name.upper()}")
    series = load_series([folder])
    np.testing.assert_array_equal(series.array, clean.array)
    np.testing.assert_array_equal(series.affine, clean.affine)
    assert series.notes == (
        "4 images set aside as copies of others with the same content (COPY OF 00000.DCM, COPY OF 00007.DCM, "
        "COPY OF 00014.DCM, …)",
    )


def test_copy_may_have_other_meta_information(series_maker: Maker, tmp_path: Path) -> None:
    folder = series_maker(_ramp(4)).save(tmp_path / "ct")
    dataset = dcmread(folder / "00007.dcm")
    dataset.file_meta.SourceApplicationEntityTitle = "ARCHIVE"
    dataset.save_as(folder / "archived.dcm", enforce_file_format=True)
    data = (folder / "00014.dcm").read_bytes()
    bare = data[144 + int.from_bytes(data[140:144], "little") :]
    (folder / "bare.dcm").write_bytes(bare)
    assert are_copies(folder / "00007.dcm", folder / "archived.dcm")
    assert not are_copies(folder / "00007.dcm", folder / "bare.dcm")
    assert load_series([folder]).array.shape == (4, 3, 4)


def test_enhanced_object_and_its_copy(tmp_path: Path) -> None:
    enhanced_ct(_ramp(5)).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    shutil.copy(tmp_path / "a.dcm", tmp_path / "b.dcm")
    series = load_series([tmp_path])
    assert series.array[0, 0].tolist() == [-1024, -1023, -1022, -1021, -1020]
    assert series.notes == ("5 images set aside as copies of others with the same content (b.dcm)",)


@pytest.mark.parametrize("change", ["pixels", "position", "header"])
def test_unequal_copies_are_refused_by_name(series_maker: Maker, tmp_path: Path, change: str) -> None:
    maker = series_maker(_ramp(5))
    folder = maker.save(tmp_path / "ct")
    for index, dataset in enumerate(maker.slices):
        if change == "pixels":
            dataset.PixelData = dataset.PixelData[:-2] + b"\7\7"
        elif change == "position":  # they would merge evenly
            dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], dataset.ImagePositionPatient[2] + 1.0]
        else:
            dataset.RescaleIntercept = -1000
        dataset.save_as(folder / f"changed{index}.dcm", enforce_file_format=True)
    with pytest.raises(CaseError, match=r"unequal copies: 0\d+\.dcm and changed\d\.dcm share a SOPInstanceUID"):
        load_series([folder])


def test_one_uid_for_all_slices_is_no_copy(series_maker: Maker, tmp_path: Path) -> None:
    maker = series_maker(_ramp(5))
    for dataset in maker.slices:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    assert load_series([maker.save(tmp_path)]).array.shape == (4, 3, 5)


def test_slices_that_share_one_identifier_are_not_compared_byte_by_byte(
    series_maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = series_maker(_ramp(6))
    for dataset in made.slices:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = made.slices[0].SOPInstanceUID
    paths = sorted(made.save(tmp_path / "ct").iterdir())
    shutil.copy(paths[2], tmp_path / "ct" / "copy.dcm")
    compared: list[tuple[str, str]] = []

    def count(first: Path, second: Path) -> bool:
        compared.append((first.name, second.name))
        return are_copies(first, second)

    monkeypatch.setattr(copies, "are_copies", count)
    kept, notes = copies.drop_copies([read_header(path) for path in [*paths, tmp_path / "ct" / "copy.dcm"]])
    assert compared == [(paths[2].name, "copy.dcm")]
    assert notes == ["1 image set aside as copies of others with the same content (copy.dcm)"]
    assert len(kept) == 6
