"""Files are complete or absent, no link leads a write elsewhere, and what a killed run left is removed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from s3net_monai.utils.atomic import PARTIAL, atomic_path, remove_partial


def test_partial_files_and_folders_are_removed(tmp_path: Path) -> None:
    (tmp_path / f"{PARTIAL}1-a.nii.gz").write_bytes(b"half")
    (tmp_path / f"{PARTIAL}2-a.pt").mkdir()
    (tmp_path / f"{PARTIAL}2-a.pt" / "a.pt").write_bytes(b"half")
    (tmp_path / "a.nii.gz").write_bytes(b"whole")
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_partial_links_are_removed_and_what_they_point_to_stays(tmp_path: Path) -> None:
    output, other = tmp_path / "out", tmp_path / "other"
    output.mkdir()
    other.mkdir()
    (other / "precious").write_bytes(b"precious")
    (output / f"{PARTIAL}folder").symlink_to(other, target_is_directory=True)
    (output / f"{PARTIAL}file").symlink_to(other / "precious")
    (output / f"{PARTIAL}real").mkdir()
    (output / f"{PARTIAL}real" / "link").symlink_to(other, target_is_directory=True)
    remove_partial(output)
    assert list(output.iterdir()) == []
    assert (other / "precious").read_bytes() == b"precious"


def test_a_file_is_replaced_when_the_block_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"before")
    with atomic_path(path) as temporary:
        assert temporary.name == path.name  # some writers store it
        temporary.write_bytes(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    with pytest.raises(TypeError), atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write("half")  # type: ignore[arg-type]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"after"]


def test_nobody_else_can_put_a_link_where_a_file_will_be_written(tmp_path: Path) -> None:
    """Another user of a shared folder may create files in it, and foresee names that are made of process numbers."""
    paths = set()
    for _ in range(2):
        with atomic_path(tmp_path / "a") as temporary:
            assert list(temporary.parent.iterdir()) == []
            assert temporary.parent.stat().st_mode & 0o077 == 0
            assert str(os.getpid()) not in temporary.parent.name
            paths.add(temporary)
            temporary.touch()
    assert len(paths) == 2


def test_a_link_in_the_place_of_a_result_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "report.json").symlink_to(tmp_path / "precious")
    with atomic_path(tmp_path / "report.json") as temporary:
        temporary.write_bytes(b"{}")
    assert not (tmp_path / "report.json").is_symlink()
    assert (tmp_path / "precious").read_bytes() == b"precious"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_an_error_of_a_full_disk_names_the_file(tmp_path: Path, number: int) -> None:
    """Of a failing write, unlike of a failing open, Python does not know the file."""
    with pytest.raises(OSError, match="full") as caught, atomic_path(tmp_path / "a"):
        raise OSError(number, "full")
    assert caught.value.filename == str(tmp_path / "a")


def test_an_error_names_no_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "missing" / "a"):
        pytest.fail("the folder is missing")
    assert caught.value.filename == str(tmp_path / "missing" / "a")
