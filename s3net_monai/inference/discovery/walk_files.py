"""Walk through folder trees that contain links, unreadable folders and special files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from s3net_monai.utils.walk import problem_of, walk


def walk_files(root: Path, skipped: Collection[Path] = ()) -> Iterator[tuple[Path, str]]:
    """Yield every visible regular file of a tree in sorted order, a folder's files before those of its subfolders.

    Links to folders are followed if they lead out of the tree and not above it. No folder is entered twice, so that
    cycles of links end.

    Args:
        root: the folder.
        skipped: resolved folders that are not entered.

    Yields:
        The path and a description of its problem: a file or folder without read permission or with too long a path, or
        a broken link; an empty string for a readable file. Sockets and other special files are omitted.
    """
    top = root.resolve()
    entered = {top, *skipped}
    targets = {root: top}  # of the folders that the walk has not reached yet
    errors: list[OSError] = []
    for folder, subfolders, files in walk(root, onerror=errors.append, followlinks=True):
        yield from _failures(errors)
        target = targets.pop(folder)
        chosen = {name: path for name in sorted(subfolders) if (path := _entered(folder / name, target, top, entered))}
        subfolders[:] = chosen
        targets |= {folder / name: path for name, path in chosen.items()}
        for path in (folder / file for file in sorted(files) if not file.startswith(".")):
            try:
                if stat.S_ISREG(path.stat().st_mode):
                    yield path, ""
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP) and path.is_symlink():
                    yield path, "a broken link; copy the file itself"
                elif error.errno != errno.ENOENT:  # else removed at this moment
                    errors.append(error)  # a folder that may be listed but not entered, or a failing network share
    yield from _failures(errors)


def _failures(errors: list[OSError]) -> Iterator[tuple[Path, str]]:
    while errors:
        error = errors.pop()
        yield Path(os.fsdecode(error.filename)), problem_of(error)


def _entered(folder: Path, parent: Path, top: Path, entered: set[Path]) -> Path | None:
    """Return where a subfolder really is, and note that it is entered; None if it is not to be entered.

    Args:
        folder: the subfolder.
        parent: where the folder around it really is.
        top: where the tree's root really is.
        entered: where the folders that were entered before, or are not to be, really are.
    """
    if folder.name.startswith("."):
        return None
    is_link = os.path.islink(folder)  # Path.is_symlink raises for too long a path
    # Resolving looks at every folder above, so that a tree of a thousand levels would take minutes.
    target = folder.resolve() if is_link else parent / folder.name
    if target in entered or (is_link and (top.is_relative_to(target) or target.is_relative_to(top))):
        return None
    entered.add(target)
    return target
