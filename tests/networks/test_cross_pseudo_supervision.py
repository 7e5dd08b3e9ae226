"""Two networks: both predictions in training, their mean in evaluation."""

from __future__ import annotations

import torch

from s3net_monai.networks import CrossPseudoSupervisionNet
from tests.helpers.feature_encoders import conv_unet


def make_networks() -> CrossPseudoSupervisionNet:
    torch.manual_seed(0)
    return CrossPseudoSupervisionNet(*(conv_unet(2, in_channels=1, out_channels=3) for _ in range(2)))


def test_training_returns_the_logits_of_both() -> None:
    networks, x = make_networks(), torch.randn(2, 1, 16, 8)
    a, b = networks(x)
    torch.testing.assert_close(a, networks.first(x))
    torch.testing.assert_close(b, networks.second(x))
    assert not torch.allclose(a, b, atol=1e-2)


def test_evaluation_returns_the_mean_of_both_softmaxes() -> None:
    networks, x = make_networks(), torch.randn(2, 1, 16, 8)
    a, b = networks(x)
    mean = (a.softmax(dim=1) + b.softmax(dim=1)) / 2
    torch.testing.assert_close(networks.eval()(x).softmax(dim=1), mean)
