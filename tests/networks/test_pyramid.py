"""Arrangement of the pyramid's parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s3net_monai.networks import AttentionBlock, DeformableConv, S3Net
from s3net_monai.networks.pyramid import PyramidBody


def body(channels: tuple[int, ...], num_blocks: tuple[int, ...], spatial_dims: int = 2) -> PyramidBody:
    torch.manual_seed(0)
    return PyramidBody(
        spatial_dims=spatial_dims,
        in_channels=1,
        num_clusters=3,
        channels=channels,
        num_blocks=num_blocks,
        norm="instance",
    )


@pytest.mark.parametrize(
    ("channels", "num_blocks", "deformed_size", "width"),
    [((8,), (2,), 16, 8), ((4, 6, 8), (0, 1, 1), 8, 6), ((4, 6, 8), (0, 0, 2), 4, 8), ((4, 6, 8), (1, 0, 1), 16, 4)],
)
def test_deformable_convolution_follows_the_finest_blocks(
    channels: tuple[int, ...], num_blocks: tuple[int, ...], deformed_size: int, width: int
) -> None:
    shapes: list[tuple[int, ...]] = []
    network = body(channels, num_blocks)
    network.deformable.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    network(torch.randn(1, 1, 16, 16))
    assert shapes == [(1, width, deformed_size, deformed_size)]


def test_levels_have_the_blocks_of_the_settings() -> None:
    network = body((4, 6, 8), (0, 1, 2))
    assert [sum(isinstance(m, AttentionBlock) for m in level) for level in network.levels] == [0, 1, 2]
    assert sum(isinstance(m, DeformableConv) for m in network.modules()) == 1


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize(("channels", "num_blocks"), [((4,), (1,)), ((4, 6), (0, 1)), ((4, 6, 8), (0, 1, 1))])
def test_auxiliary_head_precedes_the_deformable_convolution(
    channels: tuple[int, ...], num_blocks: tuple[int, ...], spatial_dims: int
) -> None:
    network = body(channels, num_blocks, spatial_dims)
    x = torch.randn(1, 1, *[8] * spatial_dims)
    network(x)[1].square().sum().backward()
    assert all(parameter.grad is None for parameter in network.deformable.parameters())
    assert network.levels[0][0][0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("size", "mode"), [((11, 14), "bilinear"), ((9, 6, 5), "trilinear")])
def test_levels_are_joined_from_coarse_to_fine(size: tuple[int, ...], mode: str) -> None:
    network = body((4, 6, 8), (0, 1, 1), len(size))

    def join(merge: nn.Module, coarse: Tensor, fine: Tensor) -> Tensor:
        upsampled = F.interpolate(coarse, size=fine.shape[2:], mode=mode, align_corners=False)
        return merge(torch.cat([upsampled, fine], dim=1))

    x = torch.randn(2, 1, *size)
    fine = network.levels[0](x)
    middle = network.levels[1](fine)
    coarse = network.levels[2](middle)
    assert middle.shape[2:] == tuple(-(-n // 2) for n in size)
    joined = join(network.coarse_to_fine[0], coarse, middle)
    expected_auxiliary = F.interpolate(network.auxiliary(joined), size=size, mode=mode, align_corners=False)
    expected_main = network.head(join(network.coarse_to_fine[1], F.gelu(network.deformable(joined)), fine))

    main, auxiliary = network(x)
    torch.testing.assert_close(main, expected_main)
    torch.testing.assert_close(auxiliary, expected_auxiliary)


@pytest.mark.parametrize("channels", [(6,), (4, 6), (4, 6, 8)])
def test_coarse_levels_enlarge_the_receptive_field(channels: tuple[int, ...]) -> None:
    """One block reaches stem 1 + attention 11 + deformable 1 + its predictor 1 voxels; a coarser level doubles it."""
    network = body(channels, (0,) * (len(channels) - 1) + (1,)).eval()
    x = torch.randn(1, 1, 129, 129, requires_grad=True)

    def pass_through(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return inputs[0]

    for module in network.modules():  # instance normalization depends on the whole image
        if isinstance(module, nn.InstanceNorm2d):
            module.register_forward_hook(pass_through)
    network(x)[0][0, 0, 64, 64].backward()
    reach = (x.grad[0, 0].nonzero() - 64).abs().max().item()
    level = len(channels) - 1
    assert 12 * 2**level <= reach <= 20 * 2**level


def test_s3net_passes_its_settings_to_the_body() -> None:
    network = S3Net(3, 1, num_clusters=5, channels=[4, 6], num_blocks=[0, 1]).body
    assert isinstance(network, PyramidBody)
    assert network.head.out_channels == network.auxiliary.out_channels == 5
    assert network.mode == "trilinear"
