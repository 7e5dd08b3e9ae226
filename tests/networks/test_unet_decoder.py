"""The expanding path: upsampling to full size, and padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s3net_monai.networks.unet_decoder import UNetDecoder, crop_to_size, pad_to_stride


@pytest.mark.parametrize(
    ("size", "padded"),
    [
        ((8, 12), (8, 12)),
        ((7, 9), (8, 12)),
        ((3, 4), (8, 4)),
        ((1, 5), (4, 8)),
        ((5, 4, 1), (8, 4, 4)),
        ((1, 1, 1), (8, 4, 4)),
    ],
)
def test_padding_repeats_the_far_edge(size: tuple[int, ...], padded: tuple[int, ...]) -> None:
    x = torch.arange(float(np.prod(size))).reshape(1, 1, *size)
    expected = np.pad(x.numpy(), [(0, 0), (0, 0), *((0, b - a) for a, b in zip(size, padded, strict=True))], "edge")
    np.testing.assert_array_equal(pad_to_stride(x, 4).numpy(), expected)
    assert torch.equal(crop_to_size(pad_to_stride(x, 4), list(size)), x)


@pytest.mark.parametrize(("stride", "size"), [(1, (8, 4)), (2, (16, 8)), (4, (32, 16))])
def test_logits_have_full_size_above_the_finest_map(stride: int, size: tuple[int, ...]) -> None:
    decoder = UNetDecoder(2, [8, 12], stride=stride, out_channels=3)
    assert decoder([torch.randn(2, 8, 8, 4), torch.randn(2, 12, 4, 2)]).shape == (2, 3, *size)


def test_every_map_is_used() -> None:
    decoder = UNetDecoder(2, [4, 6, 8], stride=2, out_channels=3).eval()
    maps = [torch.randn(1, width, 8 >> level, 8 >> level) for level, width in enumerate((4, 6, 8))]
    logits = decoder(maps)
    for level in range(3):
        changed = [value + torch.randn_like(value) * (index == level) for index, value in enumerate(maps)]
        assert not torch.allclose(decoder(changed), logits, atol=1e-3)
