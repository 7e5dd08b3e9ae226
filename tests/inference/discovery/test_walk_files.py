"""Walks through trees with unreadable folders."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3net_monai.inference.discovery.walk_files import walk_files

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
