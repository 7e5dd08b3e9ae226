"""Walking a folder tree that people have made: links, unreadable folders, files that are no files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path


def walk_files(root: Path, skipped: Collection[Path] = ()) -> Iterator[tuple[Path, str]]:
    """Every visible plain file of the tree in sorted order, a folder's own files before those of its subfolders.

    Links to folders are followed where they lead out of the tree and not above it, and no folder is entered twice, so
    that rings of links end.

    Args:
        root: the folder.
        skipped: resolved folders that are not entered.

    Yields:
        The path, and in words what is wrong with it: a folder or file that may not be read, a link that leads nowhere.
        Sockets and other special files are left out.
    """
    top = root.resolve()
    entered = {top, *skipped}
    failed: list[OSError] = []
    for name, folders, files in os.walk(root, onerror=failed.append, followlinks=True):
        yield from _failures(failed)
        here = Path(name)
        folders[:] = [folder for folder in sorted(folders) if _enters(here / folder, top, entered)]
        for path in (here / file for file in sorted(files) if not file.startswith(".")):
            try:
                if path.is_file():
                    yield path, ""
                elif path.is_symlink() and not path.exists():
                    yield path, "a link that leads nowhere; copy the file itself"
            except OSError as error:  # a folder that may be listed but not entered, a share that fails
                failed.append(error)
    yield from _failures(failed)


def _failures(failed: list[OSError]) -> Iterator[tuple[Path, str]]:
    while failed:
        error = failed.pop()
        yield Path(error.filename), f"not readable ({error.strerror}); check its permissions"


def _enters(folder: Path, top: Path, entered: set[Path]) -> bool:
    if folder.name.startswith("."):
        return False
    target = folder.resolve()
    inside = target.is_relative_to(top)
    if target in entered or top.is_relative_to(target) or (inside and folder.is_symlink()):
        return False
    entered.add(target)
    return True
