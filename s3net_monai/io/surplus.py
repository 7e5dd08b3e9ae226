"""Bytes after the voxels of a file: the end of a line, or zeros that pad it, are no reason to refuse it."""

from __future__ import annotations

from collections.abc import Sequence


def spare_bytes(needed: int, shape: Sequence[int]) -> int:
    """Return how many bytes may follow the voxels: as many as one more index along any axis needs mean other sizes.

    Args:
        needed: bytes of the voxels.
        shape: of the voxels.
    """
    return max(needed // max(shape) - 1, 0)


def is_padding(surplus: bytes) -> bool:
    """Return whether bytes are zeros or the end of a line; others say that the voxels are damaged."""
    return surplus in (b"\n", b"\r\n") or not surplus.strip(b"\0")


def surplus_notes(surplus: bytes) -> tuple[str, ...]:
    """Return the note of bytes that are not read."""
    return (f"{len(surplus)} bytes after the voxels left out",) if surplus else ()
