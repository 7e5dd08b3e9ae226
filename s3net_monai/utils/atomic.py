"""Files that are either complete or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder with the same suffix, renamed to ``path`` if the block succeeds."""
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_path_of_same_name(path: Path) -> Iterator[Path]:
    """As ``atomic_path``, but the temporary file has its final name, in a temporary folder beside ``path``.

    For writers that store the name of the file inside it, as ``torch.jit.save`` does.
    """
    folder = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    folder.mkdir(exist_ok=True)  # a killed process of the same number may have left one
    try:
        yield folder / path.name
        os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_partial(folder: Path) -> None:
    """Remove the partial files of a killed run; only while no other process writes into ``folder``."""
    for path in folder.glob(f"{PARTIAL}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
