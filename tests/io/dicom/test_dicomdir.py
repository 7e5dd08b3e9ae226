"""DICOMDIR: files that exist, files that are missing, and files outside its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from s3net_monai.io import CaseError
from s3net_monai.io.dicom.dicomdir import is_dicomdir, read_dicomdir
from tests.helpers.dicom_media import series, write_media


def renamed_reference(path: Path, parts: list[str]) -> None:
    """Let the first image record name another file."""
    dataset = dcmread(path)
    record = next(r for r in dataset.DirectoryRecordSequence if r.DirectoryRecordType == "IMAGE")
    record.ReferencedFileID = parts
    dataset.save_as(path)


def test_files_of_all_series(tmp_path: Path) -> None:
    path = write_media(tmp_path / "cd", series(3), series(2))
    listed = read_dicomdir(path)
    assert is_dicomdir(path)
    assert len(listed.files) == 5
    assert all(file.is_file() and file.is_relative_to(tmp_path / "cd") for file in listed.files)
    assert listed.missing == {}


def test_case_of_names_does_not_matter(tmp_path: Path) -> None:
    path = write_media(tmp_path / "cd", series(3))
    for file in sorted((tmp_path / "cd").rglob("*"), reverse=True):
        file.rename(file.with_name(file.name.lower()))
    listed = read_dicomdir(tmp_path / "cd" / "dicomdir")
    assert is_dicomdir(path.with_name("dicomdir"))
    assert len(listed.files) == 3
    assert listed.missing == {}


def test_missing_files_are_named_by_series(tmp_path: Path) -> None:
    complete, cut = series(3), series(3)
    path = write_media(tmp_path / "cd", complete, cut)
    gone = [f for f in read_dicomdir(path).files if dcmread(f).SeriesInstanceUID == cut.slices[0].SeriesInstanceUID][1:]
    for file in gone:
        file.unlink()
    listed = read_dicomdir(path)
    assert len(listed.files) == 4
    names = tuple(file.relative_to(tmp_path / "cd").as_posix() for file in gone)
    assert listed.missing == {str(cut.slices[0].SeriesInstanceUID): names}


@pytest.mark.parametrize(
    "parts", [["..", "x"], ["../x"], ["/etc/passwd"], ["a", "..", "..", "x"], ["..\\x"], [".", "x"]]
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_files_elsewhere_are_refused(tmp_path: Path, parts: list[str]) -> None:
    path = write_media(tmp_path / "cd", series(1))
    (tmp_path / "x").write_bytes(b"secret")
    renamed_reference(path, parts)
    with pytest.raises(CaseError, match="DICOMDIR: names a file outside its own folder"):
        read_dicomdir(path)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    path = write_media(tmp_path / "cd", series(1))
    (tmp_path / "x").write_bytes(b"secret")
    (tmp_path / "cd" / "LINK").symlink_to(tmp_path / "x")
    renamed_reference(path, ["LINK"])
    with pytest.raises(CaseError, match="names a link out of its own folder"):
        read_dicomdir(path)


def test_damage_is_refused(tmp_path: Path) -> None:
    path = write_media(tmp_path / "cd", series(1))
    content = path.read_bytes()
    for broken in (b"", b"hello", content[:400]):
        path.write_bytes(broken)
        with pytest.raises(CaseError, match="not readable as DICOMDIR"):
            read_dicomdir(path)
    image = next((tmp_path / "cd").rglob("IM*"))
    path.write_bytes(image.read_bytes())
    with pytest.raises(CaseError, match="not a media storage directory"):
        read_dicomdir(path)


def test_a_ring_of_records_ends(tmp_path: Path) -> None:
    path = write_media(tmp_path / "cd", series(2))
    dataset = dcmread(path)
    images = [r for r in dataset.DirectoryRecordSequence if r.DirectoryRecordType == "IMAGE"]
    images[-1].OffsetOfTheNextDirectoryRecord = images[0].seq_item_tell
    dataset.save_as(path)
    assert len(read_dicomdir(path).files) == 2
