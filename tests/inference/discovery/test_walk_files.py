"""Walks through trees with unreadable folders."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3net_monai.inference.discovery.walk_files import walk_files
from tests.helpers.deep_folders import chain_of_folders
from tests.helpers.discovery_results import touch

NOBODY = 65534


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder accessed with the permissions of an ordinary user, since root may read everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        owner = os.geteuid()
        if owner == 0:
            os.chown(folder, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(owner)
            for path in folder.iterdir():
                path.chmod(0o700)


@pytest.mark.parametrize("mode", [0o000, 0o600])
def test_forbidden_folder_does_not_end_the_walk(unprivileged: Path, mode: int) -> None:
    for name in ("a", "b"):
        (unprivileged / name).mkdir()
        (unprivileged / name / "image.nii").touch()
    (unprivileged / "a").chmod(mode)  # 0o600 allows listing the files, but not opening them
    (failed_path, problem), (path, no_problem) = walk_files(unprivileged)
    assert failed_path.is_relative_to(unprivileged / "a")
    assert problem == "not readable (Permission denied); check its permissions"
    assert (path, no_problem) == (unprivileged / "b" / "image.nii", "")


def test_links(tmp_path: Path) -> None:
    """Out of the tree they are followed, each target once; inside, above and around they are not."""
    root = tmp_path / "root"
    touch(root / "a" / "1.png", tmp_path / "outside" / "2.png", tmp_path / "outside" / "deeper" / "3.png")
    for name, target in {"inside": root / "a", "above": tmp_path, "out": tmp_path / "outside", "self": root}.items():
        (root / name).symlink_to(target)
    (root / "z").symlink_to(tmp_path / "outside" / "deeper")
    (tmp_path / "outside" / "back").symlink_to(root / "a")
    (root / "broken.png").symlink_to(tmp_path / "nothing")
    (root / "loop.png").symlink_to(root / "loop.png")
    os.mkfifo(root / "pipe.png")
    walked = [(path.relative_to(root).as_posix(), problem) for path, problem in walk_files(root)]
    broken = "a broken link; copy the file itself"
    assert walked == [
        ("broken.png", broken),
        ("loop.png", broken),
        ("a/1.png", ""),
        ("out/2.png", ""),
        ("z/3.png", ""),
    ]


def test_a_thousand_folders_in_each_other(tmp_path: Path) -> None:
    touch(tmp_path / "top.png")
    with chain_of_folders(tmp_path, 1300, files={"a.png": b""}) as last:
        assert list(walk_files(tmp_path)) == [(tmp_path / "top.png", ""), (last / "a.png", "")]


@pytest.mark.parametrize("over", ["folder", "file"])
def test_paths_longer_than_the_system_takes(tmp_path: Path, over: str) -> None:
    touch(tmp_path / "top.png")
    depth = 60 if over == "folder" else (4080 - len(str(tmp_path))) // 101
    name = "f" * 240 + ".png"
    with chain_of_folders(tmp_path, depth, name="d" * 100, files={name: b""}):
        (top, no_problem), (path, problem) = walk_files(tmp_path)
    assert (top, no_problem) == (tmp_path / "top.png", "")
    assert path.name == ("d" * 100 if over == "folder" else name)
    assert problem == "its path is longer than the system permits; move it to a folder nearer to the root"
