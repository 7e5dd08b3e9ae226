"""The authors' network: formula, number of parameters, and limits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.original_s3net.network import OriginalS3Net
from tests.helpers.tensors import parameters_without_gradient


def batch_norm(x: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    return (x - mean) / (x.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()


def test_heads_are_the_published_formula() -> None:
    torch.manual_seed(0)
    network = OriginalS3Net(spatial_dims=2, in_channels=3, num_clusters=4, num_blocks=2, image_size=(6, 9))
    x = torch.rand(1, 3, 6, 9)
    stem, blocks, head, auxiliary = network.stem[0], network.blocks, network.head[1], network.auxiliary[0]
    features = batch_norm(F.conv2d(x, stem.weight, stem.bias, padding=1))
    for block in blocks:  # the attention block has its own tests
        features = block(features)

    columns = torch.zeros(4, 9, 6, 9)  # bilinear interpolation at every tap, zeros outside
    padded = F.pad(features[0], (2, 3, 2, 3))
    i, j = torch.meshgrid(torch.arange(6.0), torch.arange(9.0), indexing="ij")
    for tap in range(9):
        a = i + tap // 3 - 1 + network.offset[0, 2 * tap]  # offsets start in [0, 1), so the padding is wide enough
        b = j + tap % 3 - 1 + network.offset[0, 2 * tap + 1]
        a0, b0 = a.floor().long(), b.floor().long()
        for da in (0, 1):
            for db in (0, 1):
                weight = (1 - (a - a0 - da).abs()) * (1 - (b - b0 - db).abs())
                columns[:, tap] += weight * padded[:, a0 + da + 2, b0 + db + 2]
    columns = columns * network.modulation[0]
    deformed = torch.einsum("oct,ctxy->oxy", network.weight.flatten(2), columns)[None]
    expected_main = batch_norm(F.conv2d(batch_norm(deformed), head.weight, head.bias))
    expected_auxiliary = batch_norm(F.conv2d(features, auxiliary.weight, auxiliary.bias))

    main_logits, auxiliary_logits = network.heads(x)
    torch.testing.assert_close(main_logits, expected_main, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(auxiliary_logits, expected_auxiliary, rtol=1e-3, atol=1e-3)


def test_free_offsets_are_most_of_the_parameters() -> None:
    """94 % of the parameters belong to one image size, which is why ``S3Net`` predicts the offsets."""
    network = OriginalS3Net(spatial_dims=2, in_channels=3, num_clusters=64, num_blocks=2, image_size=256)
    offset_parameters = network.offset.numel() + network.modulation.numel()
    assert offset_parameters == 256 * 256 * (2 * 9 + 9)
    assert round(100 * offset_parameters / sum(parameter.numel() for parameter in network.parameters())) == 94


@pytest.mark.parametrize("shape", [(2, 1, 8, 6), (1, 1, 6, 8), (1, 1, 9, 6)])
def test_other_sizes_and_batches_are_refused(shape: tuple[int, ...]) -> None:
    network = OriginalS3Net(spatial_dims=2, in_channels=1, num_clusters=4, num_blocks=1, image_size=(8, 6))
    assert network(torch.rand(1, 1, 8, 6)).shape == (1, 4, 8, 6)
    with pytest.raises(ValueError, match=r"the original S3-Net takes one image of \[8, 6\], found a batch of"):
        network(torch.rand(*shape))


def test_volume() -> None:
    network = OriginalS3Net(spatial_dims=3, in_channels=1, num_clusters=3, num_blocks=1, image_size=(6, 5, 4))
    main, auxiliary = network.heads(torch.rand(1, 1, 6, 5, 4))
    assert main.shape == auxiliary.shape == (1, 3, 6, 5, 4)
    assert len(network.blocks) == 1


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = OriginalS3Net(spatial_dims=2, in_channels=3, num_clusters=4, num_blocks=1, image_size=8)
    network.eval()  # batch statistics would cancel the biases
    main, auxiliary = network.heads(torch.rand(1, 3, 8, 8))
    (torch.softmax(main, 1)[:, 0].square().sum() + torch.softmax(auxiliary, 1)[:, 0].square().sum()).backward()
    assert parameters_without_gradient(network) == []
