"""S3-Net's encoder: its own layers, at every level."""

from __future__ import annotations

import pytest
import torch

from s3net_monai.networks import S3Net, S3NetEncoder


@pytest.mark.parametrize(
    ("size", "expected"),
    [((13, 8), [(13, 8), (7, 4), (4, 2)]), ((6, 9, 5), [(6, 9, 5), (3, 5, 3), (2, 3, 2)])],
)
def test_maps_of_every_level(size: tuple[int, ...], expected: list[tuple[int, ...]]) -> None:
    encoder = S3NetEncoder(S3Net(len(size), 2, 3, channels=[4, 6, 8], num_blocks=[0, 1, 1]))
    maps = encoder(torch.randn(2, 2, *size))
    assert [tuple(feature_map.shape) for feature_map in maps] == [
        (2, width, *shape) for width, shape in zip((4, 6, 8), expected, strict=True)
    ]


def test_maps_are_those_that_the_network_merges() -> None:
    network = S3Net(2, 1, 3, channels=[4, 6], num_blocks=[0, 1]).eval()
    merged: list[torch.Tensor] = []
    for level in network.body.levels:
        level.register_forward_hook(lambda module, inputs, output: merged.append(output))
    x = torch.randn(1, 1, 12, 10)
    network(x)
    maps = S3NetEncoder(network)(x)
    assert len(maps) == 2
    for feature_map, expected in zip(maps, merged[:2], strict=True):
        torch.testing.assert_close(feature_map, expected)


def test_training_the_encoder_trains_the_network() -> None:
    network = S3Net(2, 1, 3, channels=[4, 6], num_blocks=[0, 1])
    encoder = S3NetEncoder(network)
    sum(feature_map.square().mean() for feature_map in encoder(torch.randn(2, 1, 8, 8))).backward()
    untrained = {name for name, parameter in network.body.named_parameters() if parameter.grad is None}
    assert not any(name.startswith("levels.") for name in untrained)
    assert all(parameter.grad is not None for parameter in encoder.parameters())
