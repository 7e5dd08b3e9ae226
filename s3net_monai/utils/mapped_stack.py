"""Volumes in files of the temporary folder, of which memory holds no more than what is being used."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast
from weakref import WeakKeyDictionary

import numpy as np

CAN_MAP = hasattr(os, "posix_fallocate") and hasattr(mmap, "MADV_DONTNEED")  # not on Windows and macOS

_BLOCK = 32  # planes that are copied at a time
# Of every file in memory: where it begins and ends.
_addresses: WeakKeyDictionary[mmap.mmap, tuple[int, int]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class MappedStack:
    """A volume in a file, which another process can open.

    Attributes:
        path: the file, in a scratch folder.
        shape: (slices, rows, columns).
        dtype: of its values.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str

    def volume(self) -> np.ndarray:
        """Return the values (columns, rows, slices), which cannot be written; give them to ``drop_pages`` after use."""
        return _mapped(self.path, self.dtype, self.shape, "r").T

    def remove(self) -> None:
        """Remove the file; a volume that is still in use stays."""
        self.path.unlink(missing_ok=True)


def new_stack(folder: Path | None, shape: Sequence[int], dtype: Any) -> tuple[np.ndarray, MappedStack | None]:
    """Return an array to be filled, and the file that it is in; None where it is in memory.

    Args:
        folder: a scratch folder; None for memory.
        shape: (slices, rows, columns).
        dtype: of its values.
    """
    dtype, shape = np.dtype(dtype), tuple(int(size) for size in shape)
    if folder is None or not CAN_MAP or not all(shape):
        return np.empty(shape, dtype=dtype), None
    path = None
    try:
        number, name = tempfile.mkstemp(suffix=".stack", dir=folder)  # for this user alone
        path = Path(name)
        with os.fdopen(number, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * dtype.itemsize)  # or a full disk would end us
            array = _mapped(file, dtype, shape, "r+")
    except OSError:  # no room there, or no way to reserve it
        if path is not None:
            path.unlink(missing_ok=True)
        return np.empty(shape, dtype=dtype), None
    return array, MappedStack(path=path, shape=shape, dtype=dtype.str)


def drop_pages(array: np.ndarray) -> None:
    """Free the memory of what was read from, or written to, an array in a file; does nothing for any other array.

    The values stay: they are read from the file again when they are used. The array may be a view, a tensor's too.
    """
    address = array.__array_interface__["data"][0]
    for mapped, (first, end) in list(_addresses.items()):
        if first <= address < end:
            mapped.madvise(mmap.MADV_DONTNEED)


def copy_in_blocks(view: np.ndarray) -> np.ndarray:
    """Copy a view of an array, such as a plane across all slices; of one in a file, memory holds a few slices.

    Example:
        >>> copy_in_blocks(np.arange(6).reshape(2, 3)[:, ::2]).tolist()
        [[0, 2], [3, 5]]
    """
    axis = int(np.argmax(np.abs(view.strides)))
    along = np.moveaxis(view, axis, 0)
    parts = []
    for start in range(0, max(1, len(along)), _BLOCK):
        parts.append(along[start : start + _BLOCK].copy())
        drop_pages(view)
    return np.moveaxis(np.concatenate(parts), 0, axis)


def _mapped(file: Any, dtype: Any, shape: tuple[int, ...], mode: Literal["r", "r+"]) -> np.ndarray:
    array = np.memmap(file, dtype=dtype, mode=mode, shape=shape)
    first = array.__array_interface__["data"][0]
    _addresses[cast(mmap.mmap, array.base)] = (first, first + array.nbytes)
    return array.view(np.ndarray)
