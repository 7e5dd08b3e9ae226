"""Embeddings of objects: the region that they depend on, and a short contrastive training."""

from __future__ import annotations

import pytest
import torch

from s3net_monai.losses import SemanticContrastiveLoss
from s3net_monai.networks import FeatureQueue, ObjectProjection
from s3net_monai.networks.object_projection import masked_mean
from tests.helpers.feature_encoders import ENCODERS


def test_mean_over_a_mask_by_hand() -> None:
    features = torch.tensor([[1.0, 2.0], [3.0, 10.0]]).view(1, 1, 2, 2).repeat(1, 2, 1, 1)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2:, 2:] = 1  # the whole last location
    mask[..., 0, :2] = 1  # half of the first
    assert masked_mean(features, mask).tolist() == [[7.0, 7.0]]
    assert masked_mean(features, torch.zeros(1, 1, 4, 4)).tolist() == [[4.0, 4.0]]


def test_mean_over_a_volume() -> None:
    features = torch.arange(8.0).view(1, 1, 2, 2, 2)
    mask = torch.zeros(1, 1, 4, 6, 2)
    mask[..., 1] = 1  # the last locations along the third axis
    assert masked_mean(features, mask).item() == (1 + 3 + 5 + 7) / 4


@pytest.mark.parametrize("kind", ["conv", "s3net", "resnet"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_any_encoder(kind: str, spatial_dims: int) -> None:
    torch.manual_seed(0)
    network = ObjectProjection(ENCODERS[kind](spatial_dims, 3), spatial_dims, 3, out_channels=5).eval()
    embeddings = network(torch.rand(2, 3, *[64, 32, 64][:spatial_dims]))
    assert embeddings.shape == (2, 5)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_objects_of_one_image_differ() -> None:
    torch.manual_seed(0)
    network = ObjectProjection(ENCODERS["conv"](2, 2), 2, 2)
    x = torch.rand(1, 1, 32, 32).repeat(2, 2, 1, 1)
    x[:, 1] = 0
    x[0, 1, 4:10, 4:10] = x[1, 1, 20:30, 16:28] = 1
    first, second = network(x)
    assert torch.dot(first, second) < 0.99


def test_contrastive_training_separates_objects() -> None:
    """Noisy blobs that are bright or dark: embeddings of one kind approach each other within few iterations."""
    torch.manual_seed(0)
    network = ObjectProjection(ENCODERS["conv"](2, 2), 2, 2)
    loss = SemanticContrastiveLoss(FeatureQueue(32, 64, labeled=True))
    optimizer = torch.optim.Adam(network.parameters(), 0.003)
    for _ in range(30):
        kind = torch.arange(8) % 2
        mask = torch.zeros(8, 1, 16, 16)
        for index, (row, column) in enumerate(torch.randint(0, 10, (8, 2)).tolist()):
            mask[index, 0, row : row + 6, column : column + 6] = 1
        image = mask * (2.0 * kind.view(-1, 1, 1, 1) - 1) + 0.3 * torch.randn(8, 1, 16, 16)
        features = network(torch.cat([image, mask], dim=1))
        value = loss(features, kind)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    similarity = features @ features.T
    same_kind = kind[:, None] == kind
    assert similarity[same_kind].mean() > similarity[~same_kind].mean() + 0.3
