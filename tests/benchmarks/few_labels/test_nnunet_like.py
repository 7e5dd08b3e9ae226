"""The nnU-Net-like row: encoder and loss of a DynUNet with deep supervision."""

from __future__ import annotations

import pytest
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import DynUNet

from benchmarks.few_labels.nnunet_like import StackedHeadsLoss, dyn_unet_encoder


@pytest.fixture
def network() -> DynUNet:
    return DynUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=2,
        kernel_size=[3, 3, 3],
        strides=[1, 2, 2],
        upsample_kernel_size=[2, 2],
        filters=[2, 4, 8],
        deep_supervision=True,
        deep_supr_num=1,
    )


def test_encoder_ends_at_the_bottleneck(network: DynUNet) -> None:
    encoder = {id(parameter) for parameter in dyn_unet_encoder(network).parameters()}
    parts = (network.input_block, network.downsamples, network.bottleneck)
    assert encoder == {id(parameter) for part in parts for parameter in part.parameters()}
    assert not encoder & {id(parameter) for parameter in network.upsamples.parameters()}


def test_loss_is_the_weighted_sum_over_the_heads(network: DynUNet) -> None:
    torch.manual_seed(0)
    heads = network.train()(torch.rand(2, 1, 16, 16))
    label = torch.randint(0, 2, (2, 1, 16, 16))
    assert heads.shape == (2, 2, 2, 16, 16)
    inner = DiceCELoss(to_onehot_y=True, softmax=True)
    expected = 0.75 * inner(heads[:, 0], label) + 0.25 * inner(heads[:, 1], label)
    torch.testing.assert_close(StackedHeadsLoss(loss=inner, weights=[0.75, 0.25])(heads, label), expected)
