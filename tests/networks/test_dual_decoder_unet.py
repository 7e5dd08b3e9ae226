"""Two decoders on one encoder: both predictions in training, their mean in evaluation."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from s3net_monai.networks import DualDecoderUNet
from tests.helpers.feature_encoders import ENCODERS


def small(spatial_dims: int, **settings: Any) -> DualDecoderUNet:
    torch.manual_seed(0)
    encoder = ENCODERS["conv"](spatial_dims, 1)
    return DualDecoderUNet(encoder, spatial_dims=spatial_dims, in_channels=1, out_channels=3, **settings)


@pytest.mark.parametrize("size", [(16, 8), (7, 9), (1, 1), (8, 4, 5)])
def test_training_returns_two_predictions(size: tuple[int, ...]) -> None:
    a, b = small(len(size))(torch.randn(2, 1, *size))
    assert a.shape == b.shape == (2, 3, *size)
    assert not torch.allclose(a, b, atol=1e-2)


@pytest.mark.parametrize("size", [(16, 8), (7, 9), (5, 4, 6)])
def test_evaluation_returns_the_mean_of_both_softmaxes(size: tuple[int, ...]) -> None:
    network, x = small(len(size)), torch.randn(2, 1, *size)
    a, b = network(x)  # instance normalization and no dropout: training computes what evaluation does
    log_mean = network.eval()(x)
    mean = (a.softmax(dim=1) + b.softmax(dim=1)) / 2
    torch.testing.assert_close(log_mean.exp(), mean)
    torch.testing.assert_close(log_mean.softmax(dim=1), mean)


def test_certain_decoders_that_disagree_stay_finite() -> None:
    network = small(2).eval()
    with torch.no_grad():
        for decoder, sign in ((network.decoder_a, 1e4), (network.decoder_b, -1e4)):
            decoder.head.weight.zero_()
            decoder.head.bias.copy_(torch.tensor([sign, 0.0, 0.0]))
    log_mean = network(torch.zeros(1, 1, 4, 4))
    assert log_mean.isfinite().all()
    torch.testing.assert_close(log_mean.softmax(dim=1)[0, :, 0, 0], torch.tensor([0.5, 0.25, 0.25]))


def test_a_prediction_trains_its_decoder_and_the_encoder() -> None:
    network = small(2)
    a, _ = network(torch.randn(2, 1, 12, 12))
    a.softmax(dim=1)[:, 0].square().sum().backward()
    trained = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in network.named_parameters() if not name.startswith("decoder_b.")}


def test_streams_give_each_decoder_one_half_of_the_batch() -> None:
    x = torch.randn(4, 1, 16, 8)
    a, b = small(2)(x)
    first, second = small(2, streams=True)(x)
    torch.testing.assert_close(first, a[:2])
    torch.testing.assert_close(second, b[2:])
    torch.testing.assert_close(small(2, streams=True).eval()(x), small(2).eval()(x))


def test_streams_refuse_an_odd_batch() -> None:
    with pytest.raises(ValueError, match="3 images"):
        small(2, streams=True)(torch.randn(3, 1, 16, 8))


def test_decoders_differ_in_kind() -> None:
    network = small(2)
    a, b = (
        {name: value.shape for name, value in decoder.state_dict().items()}
        for decoder in (network.decoder_a, network.decoder_b)
    )
    assert a != b
    assert any("deconv" in name for name in a)
    assert not any("deconv" in name for name in b)


@pytest.mark.parametrize("upsample", ["deconv", ("deconv",), ("deconv", "nontrainable", "deconv")])
def test_other_than_two_decoders_are_refused(upsample: Any) -> None:
    with pytest.raises(ValueError, match="expected one name for each of the two decoders"):
        small(2, upsample=upsample)
