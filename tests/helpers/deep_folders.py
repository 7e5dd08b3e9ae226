"""Trees of folders that are deeper than recursion goes, or whose paths are longer than the system takes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def chain_of_folders(root: Path, depth: int, *, name: str = "d", files: dict[str, bytes]) -> Iterator[Path]:
    """Make one folder in another below ``root``, with files in the last one, and remove them at the end.

    Args:
        root: a folder that exists.
        depth: number of folders.
        name: of each of them.
        files: content by name, in the last folder.

    Yields:
        The path of the last folder, which may be too long to be used.
    """
    current = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=current)
        inner = os.open(name, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = inner
    for file, content in files.items():
        with open(os.open(file, os.O_WRONLY | os.O_CREAT, dir_fd=current), "wb") as opened:
            opened.write(content)
    os.close(current)
    try:
        yield root.joinpath(*[name] * depth)
    finally:
        subprocess.run(["rm", "-rf", str(root / name)], check=True)  # shutil.rmtree calls itself for every level
