"""Threads of the network beside reading processes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from s3net_monai.inference.run.network_threads import network_threads


@pytest.fixture(autouse=True)
def _four_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("dimensions", "mode", "num_readers", "expected"),
    [
        (2, "amortized", 1, 3),
        (2, "amortized", 3, 1),
        (2, "amortized", 9, 1),
        (2, "amortized", 0, 4),
        (2, "per-image", 1, 4),
        (3, "amortized", 1, 4),
    ],
)
def test_pictures_leave_cores_to_readers(dimensions: int, mode: str, num_readers: int, expected: int) -> None:
    with network_threads(dimensions=dimensions, mode=mode, num_readers=num_readers):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 4


def fail_with_one_thread() -> None:
    with network_threads(dimensions=2, mode="amortized", num_readers=1):
        assert torch.get_num_threads() == 2  # fewer than the cores that are left
        torch.set_num_threads(1)
        raise ZeroDivisionError


def test_fewer_threads_of_the_user_stay_and_return_after_errors() -> None:
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError):
        fail_with_one_thread()
    assert torch.get_num_threads() == 2
