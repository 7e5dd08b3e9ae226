"""Mutual information of two views: bounds and a joint distribution by hand."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from s3net_monai.losses import MutualInformationLoss
from tests.helpers.tensors import identity_grid


def hard(labels: torch.Tensor, clusters: int) -> torch.Tensor:
    return 50 * F.one_hot(labels, clusters).movedim(-1, 0)[None].float()


def test_agreement_on_equal_clusters_reaches_the_bound() -> None:
    labels = torch.arange(16).reshape(4, 4) % 4
    loss = MutualInformationLoss()(hard(labels, 4), hard(labels, 4), identity_grid(1, 4, 4))
    torch.testing.assert_close(loss, torch.tensor(-math.log(4)), atol=1e-5, rtol=0)


def test_permuted_clusters_have_the_same_information() -> None:
    labels = torch.arange(16).reshape(4, 4) % 2
    loss = MutualInformationLoss()(hard(labels, 2), hard(labels, 2), identity_grid(1, 4, 4))
    # the joint distribution is made symmetric, as in the paper, so exchanging two clusters preserves it
    torch.testing.assert_close(
        MutualInformationLoss()(hard(labels, 2), hard(1 - labels, 2), identity_grid(1, 4, 4)), loss
    )


def test_one_cluster_for_everything_has_no_information() -> None:
    same = hard(torch.zeros(4, 4, dtype=torch.long), 3)
    assert MutualInformationLoss()(same, same, identity_grid(1, 4, 4)).abs() < 1e-5


def test_joint_distribution_by_hand() -> None:
    """Three pixels (0, 0) and one (1, 1): I = H = -3/4 log 3/4 - 1/4 log 1/4."""
    labels = torch.tensor([[0, 0], [0, 1]])
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    loss = MutualInformationLoss()(hard(labels, 2), hard(labels, 2), identity_grid(1, 2, 2))
    torch.testing.assert_close(loss, torch.tensor(-entropy), atol=1e-5, rtol=0)


def test_pixels_beyond_the_image_do_not_count() -> None:
    """Shifted by half the image, only the two columns that both views cover are compared."""
    first = torch.tensor([[0] * 4, [0] * 4, [0] * 4, [1] * 4])
    shifted = identity_grid(1, 4, 4)
    shifted[..., 1] += 1.0  # reads two voxels further along X
    second = torch.tensor([[0] * 4, [1] * 4, [0] * 4, [0] * 4])
    loss = MutualInformationLoss()(hard(first, 2), hard(second, 2), shifted)
    torch.testing.assert_close(loss, torch.tensor(-math.log(2)), atol=1e-5, rtol=0)


def test_gradient_reaches_both_views() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(1, 3, 4, 4, generator=generator, requires_grad=True) for _ in range(2))
    MutualInformationLoss()(first, second, identity_grid(1, 4, 4)).backward()
    assert first.grad is not None
    assert second.grad is not None
    assert first.grad.abs().sum() > 0
    assert second.grad.abs().sum() > 0
