"""Tests of volumes in files."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

import numpy as np
import pytest

from s3net_monai.utils import mapped_stack
from s3net_monai.utils.mapped_stack import copy_in_blocks, drop_pages, new_stack

needs_files = pytest.mark.skipif(not mapped_stack.CAN_MAP, reason="no such files on this system")


def resident_kb(path: Path) -> int:
    """Return how much of a file this process holds in memory."""
    kilobytes, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            kilobytes += int(line.split()[1])
    return kilobytes


@needs_files
def test_values_reach_another_opening_of_the_file(tmp_path: Path) -> None:
    array, stack = new_stack(tmp_path, (2, 3, 4), np.int16)
    assert stack is not None
    array[...] = np.arange(24).reshape(2, 3, 4)
    volume = pickle.loads(pickle.dumps(stack)).volume()
    assert volume.shape == (4, 3, 2)
    np.testing.assert_array_equal(volume.T, np.arange(24).reshape(2, 3, 4))
    assert not volume.flags.writeable
    assert stat.S_IMODE(stack.path.stat().st_mode) == 0o600
    stack.remove()
    stack.remove()
    assert list(tmp_path.iterdir()) == []
    assert int(volume[3, 2, 1]) == 23  # stays while it is in use


@needs_files
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="no /proc")
def test_dropped_pages_leave_memory_and_keep_their_values(tmp_path: Path) -> None:
    array, stack = new_stack(tmp_path, (64, 64, 64), np.int16)
    assert stack is not None
    array[...] = 7
    assert resident_kb(stack.path) >= 512
    drop_pages(array[::-1, 3:, ::2])
    assert resident_kb(stack.path) == 0
    assert int(array.min()) == int(array.max()) == 7
    assert resident_kb(stack.path) >= 512


def test_drop_pages_does_nothing_to_memory() -> None:
    array = np.arange(10)
    drop_pages(array)
    assert array.tolist() == list(range(10))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(95, "Operation not supported")])
def test_memory_is_taken_where_a_file_has_no_room(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    array, stack = new_stack(tmp_path, (2, 3, 4), np.int16)
    assert (array.shape, array.dtype, stack) == ((2, 3, 4), np.int16, None)
    assert list(tmp_path.iterdir()) == []
    assert new_stack(tmp_path / "gone", (2, 3, 4), np.int16)[1] is None
    assert new_stack(None, (2, 3, 4), np.int16)[1] is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_copies_equal_their_views(order: tuple[int, int, int]) -> None:
    array = np.arange(70 * 5 * 40).reshape(70, 5, 40).transpose(order)
    for view in (array, array[::-1, 1:], array[:, :, 3], array[2], array[::7, ::2, ::3], array[:0]):
        copied = copy_in_blocks(view)
        np.testing.assert_array_equal(copied, view)
        assert not np.shares_memory(copied, array)
