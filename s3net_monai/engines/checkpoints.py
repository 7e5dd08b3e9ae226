"""Finding the checkpoint that an interrupted training left."""

from __future__ import annotations

from pathlib import Path


def latest_checkpoint(folder: str | Path) -> str:
    """Path of the newest ``checkpoint*.pt`` in a folder.

    Raises:
        FileNotFoundError: when there is none.
    """
    found = sorted(Path(folder).glob("checkpoint*.pt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"{folder}: no checkpoint*.pt to resume from; start without resume, or set ckpt_dir")
    return str(found[-1])
