"""Tests of interpolation plane by plane, against PyTorch's of a whole volume."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from s3net_monai.transforms.interpolate_planes import interpolate_above, interpolate_planes

SIZES = [(5, 4, 3), (20, 9, 31), (11, 12, 13), (1, 1, 1), (24, 3, 13), (11, 40, 2)]
ORDERS = [(0, 1, 2), (2, 1, 0), (1, 2, 0)]


def whole(volume: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    return F.interpolate(volume[None, None].float().contiguous(), size, mode="trilinear")[0, 0]


def stored(values: torch.Tensor, order: tuple[int, ...]) -> torch.Tensor:
    """Return the same volume with its axes in another order in memory."""
    copy = values.permute(order).contiguous()
    return copy.permute([order.index(axis) for axis in range(3)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [torch.int16, torch.float32])
def test_equals_trilinear_interpolation(size: tuple[int, ...], order: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    volume = stored(torch.randint(-100, 100, (11, 12, 13)).to(dtype), order)
    result = interpolate_planes(volume, size)
    assert result.is_contiguous()
    torch.testing.assert_close(result, whole(volume, size), rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_above_equals_the_threshold_of_trilinear_interpolation(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    volume = torch.rand(11, 12, 13)
    volume[:, :, 4:9] = 0  # planes without any value above
    result, expected = interpolate_above(volume, size, 0.5), whole(volume, size)
    clear = (expected - 0.5).abs() > 1e-6
    assert clear.float().mean() > 0.99
    assert torch.equal(result[clear], (expected >= 0.5).to(torch.uint8)[clear])
    assert result.permute(2, 1, 0).is_contiguous()


def test_by_hand() -> None:
    volume = torch.tensor([0, 8], dtype=torch.int16).reshape(1, 1, 2)
    assert interpolate_planes(volume, (1, 1, 4)).flatten().tolist() == [0, 2, 6, 8]
    assert interpolate_above(volume.float(), (1, 1, 4), 6.0).flatten().tolist() == [0, 0, 1, 1]
