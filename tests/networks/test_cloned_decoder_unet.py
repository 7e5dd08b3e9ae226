"""A decoder and its clone: equal at first, trained apart, absent from saved weights."""

from __future__ import annotations

import pytest
import torch

from s3net_monai.networks import ClonedDecoderUNet, ConvEncoder, EncoderUNet


def make_network() -> EncoderUNet:
    torch.manual_seed(0)
    return EncoderUNet(ConvEncoder(2, 1, [4, 6], stride=2), spatial_dims=2, in_channels=1, out_channels=3)


def test_each_half_of_a_batch_has_its_own_decoder() -> None:
    network = make_network()
    heads = ClonedDecoderUNet(network)
    images = torch.rand(4, 1, 18, 12)
    first, second = heads(images)
    torch.testing.assert_close(first, network(images[:2]))
    torch.testing.assert_close(second, network(images[2:]))
    first.sum().backward()
    assert all(parameter.grad is None for parameter in heads.twin.parameters())
    with torch.no_grad():
        next(heads.twin.parameters()).add_(1.0)
    torch.testing.assert_close(heads(images)[0], first)
    assert not torch.allclose(heads(images)[1], second)


def test_saved_weights_are_those_that_inference_loads() -> None:
    network = make_network()
    names = set(network.state_dict())
    ClonedDecoderUNet(network)
    assert set(network.state_dict()) == names


def test_an_odd_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="3 images"):
        ClonedDecoderUNet(make_network())(torch.rand(3, 1, 16, 16))
