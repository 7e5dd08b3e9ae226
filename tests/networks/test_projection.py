"""Projection heads: shapes, norms, gradients, and the interpolation of coarser maps."""

from __future__ import annotations

import pytest
import torch
from monai.bundle import ConfigParser
from torch import nn
from torch.nn import functional as F

from s3net_monai.networks import ConvEncoder, DenseProjection, GlobalDenseProjection, GlobalProjection
from tests.helpers.feature_encoders import ENCODERS
from tests.helpers.tensors import parameters_without_gradient


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_embeddings_of_length_one(kind: str, spatial_dims: int) -> None:
    encoder, x = ENCODERS[kind](spatial_dims, 2).eval(), torch.randn(2, 2, *[64, 32, 32][:spatial_dims])
    size = encoder(x)[1].shape[2:]
    embeddings = GlobalDenseProjection(encoder, spatial_dims, 2, level=1, out_channels=5, hidden=7).eval()(x)
    assert set(embeddings) == {"global", "dense"}
    assert embeddings["global"].shape == (2, 5)
    assert embeddings["dense"].shape == (2, 5, *size)
    for embedding in embeddings.values():
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones_like(embedding[:, 0]))


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_joint_projection_equals_the_separate_ones(spatial_dims: int) -> None:
    encoder, x = ENCODERS["conv"](spatial_dims, 1), torch.randn(2, 1, *[12] * spatial_dims)
    joint = GlobalDenseProjection(encoder, spatial_dims, 1, level=0)
    single, dense = GlobalProjection(encoder, spatial_dims, 1), DenseProjection(encoder, spatial_dims, 1, level=0)
    single.head.load_state_dict(joint.global_head.state_dict())
    dense.head.load_state_dict(joint.dense_head.state_dict())
    torch.testing.assert_close(joint(x)["global"], single(x))
    torch.testing.assert_close(joint(x)["dense"], dense(x))


@pytest.mark.parametrize("level", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_every_parameter_learns_at_every_level(level: int, spatial_dims: int) -> None:
    torch.manual_seed(0)
    network = DenseProjection(ENCODERS["conv"](spatial_dims, 1), spatial_dims, 1, level=level, hidden=16)
    network(torch.randn(2, 1, *[12] * spatial_dims))[:, 0].sum().backward()
    assert parameters_without_gradient(network) == []


def test_every_parameter_learns_by_global_contrast() -> None:
    torch.manual_seed(0)
    network = GlobalProjection(ENCODERS["conv"](2, 1), 2, 1)
    network(torch.randn(2, 1, 12, 12))[:, 0].sum().backward()
    assert parameters_without_gradient(network) == []


def test_sum_of_convolved_maps_equals_one_convolution_of_all() -> None:
    network = DenseProjection(ConvEncoder(2, 1, (3, 5, 7)), 2, 1, level=1, out_channels=4, hidden=6)
    x = torch.randn(2, 1, 12, 20)
    resized = [
        F.interpolate(feature_map, size=(6, 10), mode="bilinear", align_corners=False)
        for feature_map in network.encoder(x)[1:]
    ]
    stacked = torch.cat(resized, dim=1)
    weight = torch.cat([layer.weight for layer in network.head.reduce], dim=1)
    hidden = F.conv2d(stacked, weight, network.head.reduce[0].bias)
    torch.testing.assert_close(network(x), F.normalize(network.head.project(hidden), dim=1))


def test_coarsest_level_is_pointwise() -> None:
    """IDEAL's head: the embedding of a location depends on the encoder's features there alone."""
    head = DenseProjection(ConvEncoder(2, 1, (3, 5)), 2, 1, level=-1).head
    maps = [torch.randn(1, 3, 8, 8), torch.randn(1, 5, 4, 4)]
    changed = [maps[0] + 1, maps[1].clone()]
    changed[1][:, :, 2, 1] += 1
    affected = (head(maps) - head(changed)).abs().sum(dim=1)[0] > 1e-6
    assert affected.nonzero().tolist() == [[2, 1]]


def test_global_embedding_uses_maxima_of_the_coarsest_map() -> None:
    network, x = GlobalProjection(ConvEncoder(2, 1, (3, 5)), 2, 1), torch.randn(2, 1, 9, 12)
    largest = network.encoder(x)[-1].amax(dim=(2, 3))
    torch.testing.assert_close(network(x), F.normalize(network.head.layers(largest), dim=1))


@pytest.mark.parametrize("level", [3, -4])
def test_missing_level_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=f"level is {level}, expected one of the encoder's 3 maps, counted from 0"):
        DenseProjection(ENCODERS["conv"](2, 1), 2, 1, level=level)


def test_builds_from_a_config_and_shares_the_encoder() -> None:
    config = {
        "encoder": {"_target_": "s3net_monai.networks.ConvEncoder", "channels": [4, 8]},
        "network": {
            "_target_": "s3net_monai.networks.GlobalDenseProjection",
            "encoder": "@encoder",
            "spatial_dims": 2,
            "in_channels": 1,
            "level": 0,
        },
    }
    parser = ConfigParser(config)
    network = parser.get_parsed_content("network")
    assert isinstance(network, nn.Module)
    assert network.encoder is parser.get_parsed_content("encoder")
    assert network(torch.randn(1, 1, 8, 8))["dense"].shape == (1, 64, 8, 8)
