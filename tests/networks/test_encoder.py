"""Encoders: their maps, and the requirements on any encoder."""

from __future__ import annotations

import copy

import pytest
import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from s3net_monai.networks import ConvEncoder, feature_channels
from s3net_monai.networks.encoder import feature_levels
from tests.helpers.feature_encoders import ENCODERS


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((32, 20), [(32, 20), (16, 10), (8, 5)]),
        ((13, 7), [(13, 7), (6, 3), (3, 1)]),
        ((9, 12, 8), [(9, 12, 8), (4, 6, 4), (2, 3, 2)]),
    ],
)
def test_every_map_has_half_the_size(size: tuple[int, ...], expected: list[tuple[int, ...]]) -> None:
    maps = ConvEncoder(len(size), 2, (3, 5, 7))(torch.randn(2, 2, *size))
    assert [tuple(feature_map.shape) for feature_map in maps] == [
        (2, width, *shape) for width, shape in zip((3, 5, 7), expected, strict=True)
    ]


@pytest.mark.parametrize("size", [(32, 24), (16, 24, 8)])
def test_a_stride_embeds_cells_of_voxels(size: tuple[int, ...]) -> None:
    encoder, x = ConvEncoder(len(size), 1, (4, 6), stride=2), torch.randn(2, 1, *size)
    shapes = [tuple(feature_map.shape[2:]) for feature_map in encoder(x)]
    assert shapes == [tuple(length // stride for length in size) for stride in (2, 4)]
    assert feature_levels(encoder, len(size), 1) == ([4, 6], [2, 4])
    embedded = encoder.cells(x)  # one cell at a time, as a matrix product
    corner = x[0, 0][tuple(slice(2, 4) for _ in size)].flatten()
    expected = encoder.cells.weight.flatten(1) @ corner + encoder.cells.bias
    torch.testing.assert_close(embedded[(0, slice(None), *[1] * len(size))], expected)


def test_images_of_a_batch_do_not_influence_one_another() -> None:
    encoder, x = ConvEncoder(2, 1, (4, 8)), torch.randn(3, 1, 16, 16)
    changed = torch.cat([x[:1], 5 * x[1:]])
    for before, after in zip(encoder(x), encoder(changed), strict=True):
        torch.testing.assert_close(before[0], after[0])


def test_dropout_acts_in_training_only() -> None:
    encoder, x = ConvEncoder(2, 1, (4, 8), dropout=0.5), torch.randn(1, 1, 16, 16)
    assert not torch.equal(encoder(x)[1], encoder(x)[1])
    encoder.eval()
    assert torch.equal(encoder(x)[1], encoder(x)[1])


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize(
    ("kind", "channels", "strides"),
    [
        ("conv", [4, 6, 8], [1, 2, 4]),
        ("s3net", [4, 6, 8], [1, 2, 4]),
        ("resnet", [64, 64, 128, 256, 512], [2, 4, 8, 16, 32]),
        ("efficientnet", [16, 24, 40, 112, 320], [2, 4, 8, 16, 32]),
    ],
)
def test_channels_and_strides(kind: str, spatial_dims: int, channels: list[int], strides: list[int]) -> None:
    encoder = ENCODERS[kind](spatial_dims, 2)
    before, state = copy.deepcopy(encoder.state_dict()), torch.get_rng_state()
    assert feature_channels(encoder, spatial_dims, 2) == channels
    assert feature_levels(encoder, spatial_dims, 2) == (channels, strides)
    # the forward pass of the copy changes nothing
    assert encoder.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


class Maps(nn.Module):
    """Maps of fixed sizes for any image."""

    def __init__(self, *sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.zeros(1, 4, *size) for size in self.sizes]


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (nn.Conv2d(1, 4, 3), "Conv2d returns Tensor, expected a list of feature maps, finest first"),
        (nn.Identity(), "Identity returns Tensor"),
        (Maps(), "Maps returns an empty list, expected a list of feature maps"),
        (
            Maps((64, 64), (64, 64)),
            "Maps returns maps of 64x64, 64x64 voxels for an image of 64 along each axis, expected each half",
        ),
        (Maps((32, 32), (64, 64)), "32x32, 64x64 voxels"),
        (Maps((64, 64), (16, 16)), "64x64, 16x16 voxels"),
        (Maps((64, 64), (32, 64)), "64x64, 32x64 voxels"),
        (Maps((21, 21)), "21x21 voxels"),
        (Maps((62, 62), (31, 31)), "62x62, 31x31 voxels"),
        (Maps((128, 128), (64, 64)), "128x128, 64x64 voxels"),
    ],
)
def test_other_modules_are_refused(encoder: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        feature_channels(encoder, 2, 1)


def test_builds_from_a_config() -> None:
    config = {
        "encoder": {
            "_target_": "s3net_monai.networks.ConvEncoder",
            "spatial_dims": 3,
            "in_channels": 2,
            "channels": [4, 8],
            "norm": ["group", {"num_groups": 2}],
            "dropout": 0.1,
        }
    }
    encoder = ConfigParser(config).get_parsed_content("encoder")
    assert [feature_map.shape[1] for feature_map in encoder(torch.randn(1, 2, 8, 8, 8))] == [4, 8]
    assert sum(isinstance(module, nn.GroupNorm) for module in encoder.modules()) == 4
