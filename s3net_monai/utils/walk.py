"""A walk through folders of any depth."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path


def walk(
    root: Path, *, onerror: Callable[[OSError], None] | None = None, followlinks: bool = False
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield every folder of a tree with the names of its subfolders and files, like ``os.walk`` from the top down.

    ``os.walk`` calls itself for every level before Python 3.12 and fails in a tree of a thousand. Folders whose path
    is longer than the system's limit (4096 bytes on Linux) go to ``onerror``.

    Args:
        root: the folder.
        onerror: gets the error of a folder that cannot be listed, which is left out.
        followlinks: whether to enter links to folders.

    Yields:
        The folder, the names of its subfolders, of which those that the caller leaves in the list are entered in their
        order, and the names of its files; links to folders are among the subfolders.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        subfolders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    (subfolders if _is_folder(entry) else files).append(entry.name)
        except OSError as error:
            if onerror is not None:
                onerror(error)
            continue
        yield folder, subfolders, files
        paths = [folder / name for name in reversed(subfolders)]
        waiting += [path for path in paths if followlinks or not os.path.islink(path)]


def problem_of(error: OSError) -> str:
    """Describe why a file or folder cannot be read, with the remedy."""
    if error.errno == errno.ENAMETOOLONG:
        return "its path is longer than the system permits; move it to a folder nearer to the root"
    return f"not readable ({error.strerror}); check its permissions"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
