"""Walk through folder trees that contain links, unreadable folders and special files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path


def walk_files(root: Path, skipped: Collection[Path] = ()) -> Iterator[tuple[Path, str]]:
    """Yield every visible regular file of a tree in sorted order, a folder's files before those of its subfolders.

    Links to folders are followed if they lead out of the tree and not above it. No folder is entered twice, so that
    cycles of links end.

    Args:
        root: the folder.
        skipped: resolved folders that are not entered.

    Yields:
        The path and a description of its problem: a file or folder without read permission, or a broken link; an empty
        string for a readable file. Sockets and other special files are omitted.
    """
    top = root.resolve()
    entered = {top, *skipped}
    errors: list[OSError] = []
    for name, subfolders, files in os.walk(root, onerror=errors.append, followlinks=True):
        yield from _failures(errors)
        folder = Path(name)
        subfolders[:] = [subfolder for subfolder in sorted(subfolders) if _enters(folder / subfolder, top, entered)]
        for path in (folder / file for file in sorted(files) if not file.startswith(".")):
            try:
                if path.is_file():
                    yield path, ""
                elif path.is_symlink() and not path.exists():
                    yield path, "a broken link; copy the file itself"
            except OSError as error:  # a folder that may be listed but not entered, or a failing network share
                errors.append(error)
    yield from _failures(errors)


def _failures(errors: list[OSError]) -> Iterator[tuple[Path, str]]:
    while errors:
        error = errors.pop()
        yield Path(error.filename), f"not readable ({error.strerror}); check its permissions"


def _enters(folder: Path, top: Path, entered: set[Path]) -> bool:
    if folder.name.startswith("."):
        return False
    target = folder.resolve()
    is_inside = target.is_relative_to(top)
    if target in entered or top.is_relative_to(target) or (is_inside and folder.is_symlink()):
        return False
    entered.add(target)
    return True
