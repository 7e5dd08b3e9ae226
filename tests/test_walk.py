"""The walk that does without recursion, beside that of the standard library."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from s3net_monai.utils.walk import problem_of, walk
from tests.helpers.deep_folders import chain_of_folders
from tests.helpers.discovery_results import touch


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    touch(*(root / name for name in ("1", "a/2", "a/b/3", "a/b/4", "c/5", "z/6")))
    (root / "empty").mkdir()
    (root / "link").symlink_to(root / "a")
    (root / "file_link").symlink_to(root / "1")
    (root / "loop").symlink_to(root / "loop")
    touch(tmp_path / "outside" / "7")
    (root / "c" / "out").symlink_to(tmp_path / "outside")
    return root


@pytest.mark.parametrize("followlinks", [False, True])
def test_the_walk_of_the_standard_library(tree: Path, followlinks: bool) -> None:
    expected = {Path(folder): (folders, files) for folder, folders, files in os.walk(tree, followlinks=followlinks)}
    walked = {folder: (folders, files) for folder, folders, files in walk(tree, followlinks=followlinks)}
    assert walked == expected
    assert (tree / "link" / "b" in walked) == followlinks


def test_the_caller_chooses_folders_and_their_order(tree: Path) -> None:
    visited = []
    for folder, folders, _ in walk(tree):
        visited.append(folder.relative_to(tree).as_posix())
        folders[:] = sorted((name for name in folders if name != "z"), reverse=True)
    assert visited == [".", "empty", "c", "a", "a/b"]


def test_a_thousand_folders_in_each_other(tmp_path: Path) -> None:
    with chain_of_folders(tmp_path, 1300, files={"a": b""}) as last:
        walked = list(walk(tmp_path))
    assert len(walked) == 1301
    assert walked[-1] == (last, [], ["a"])


def test_a_path_longer_than_the_system_takes(tmp_path: Path) -> None:
    errors: list[OSError] = []
    with chain_of_folders(tmp_path, 20, name="d" * 250, files={"a": b""}):
        walked = list(walk(tmp_path, onerror=errors.append))
        assert [folder for folder, _, _ in walk(tmp_path)] == [folder for folder, _, _ in walked]
    assert 10 < len(walked) < 20
    (error,) = errors
    assert error.errno == errno.ENAMETOOLONG
    assert problem_of(error) == "its path is longer than the system permits; move it to a folder nearer to the root"
