"""The label-free objective: the S3-Net terms, the guard against collapse and, where cues are given, their vote."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from benchmarks.original_s3net.losses import AuthorsAffineLoss, AuthorsSpatialLoss
from s3net_monai.losses.affine_consistency import AffineConsistencyLoss, in_bounds_mask, warp
from s3net_monai.losses.cluster_balance import ClusterBalanceLoss
from s3net_monai.losses.mutual_information import MutualInformationLoss
from s3net_monai.losses.self_clustering import SelfClusteringLoss
from s3net_monai.losses.spatial_consistency import SpatialConsistencyLoss
from s3net_monai.losses.total_variation import EdgeAwareTotalVariationLoss
from s3net_monai.losses.weak_label import WeakLabelLoss


class LabelFreeLoss(_Loss):
    """Weighted sum of the terms over two views of a batch, as ``engines.TwoViews`` makes them.

    The auxiliary head is taught by the affine term alone, as in arXiv 2309.00143: its clusters of Tx are to equal the
    main head's clusters of x, moved by T.

    Args:
        assignment matrix: gives the one-hot naming of clusters, (K, classes); the weak label term alone needs it.
        self_clustering: weight of ``SelfClusteringLoss``.
        affine: weight of ``AffineConsistencyLoss`` of the main head.
        auxiliary: weight of ``AffineConsistencyLoss`` of the auxiliary head.
        spatial: weight of ``SpatialConsistencyLoss``.
        total_variation: weight of ``EdgeAwareTotalVariationLoss``.
        balance: weight of ``ClusterBalanceLoss``.
        weak label: weight of ``WeakLabelLoss``; 0 trains with the S3-Net terms and no simple weak label anywhere.
        mutual_information: weight of ``MutualInformationLoss``, which may stand for ``affine`` and ``balance``.
        authors_affine: weight of ``AuthorsAffineLoss`` on the originals.
        authors_spatial: weight of ``AuthorsSpatialLoss``.

    Raises:
        ValueError: when a weight is negative or all are 0, when ``weak_label`` has no naming, and, in ``forward``, when a vote
            is needed and missing.
    """

    def __init__(
        self,
        assignment_matrix: Callable[[], Tensor] | None,
        self_clustering: float = 0.3,
        affine: float = 1.0,
        auxiliary: float = 0.2,
        spatial: float = 0.1,
        total_variation: float = 1.0,
        balance: float = 1.0,
        weak_label: float = 0.0,
        mutual_information: float = 0.0,
        authors_affine: float = 0.0,
        authors_spatial: float = 0.0,
    ) -> None:
        super().__init__()
        self.assignment_matrix = assignment_matrix
        self.weights = {
            "self_clustering": self_clustering,
            "affine": affine,
            "auxiliary": auxiliary,
            "spatial": spatial,
            "total_variation": total_variation,
            "balance": balance,
            "weak_label": weak_label,
            "mutual_information": mutual_information,
            "authors_affine": authors_affine,
            "authors_spatial": authors_spatial,
        }
        wrong = {name: weight for name, weight in self.weights.items() if weight < 0}
        if wrong or not any(self.weights.values()):
            raise ValueError(
                f"weights {self.weights}: expected none below 0 and one above; set them in the loss's config"
            )
        if weak_label and assignment_matrix is None:
            raise ValueError(
                f"weak label {weak_label} without a assignment matrix, expected a naming of clusters; give it or set weak label to 0"
            )
        self.self_clustering = SelfClusteringLoss()
        self.affine = AffineConsistencyLoss()
        self.spatial = SpatialConsistencyLoss()
        self.total_variation = EdgeAwareTotalVariationLoss()
        self.balance = ClusterBalanceLoss()
        self.weak_label = WeakLabelLoss()
        self.mutual_information = MutualInformationLoss()
        self.authors_affine = AuthorsAffineLoss()
        self.authors_spatial = AuthorsSpatialLoss()

    def terms(self, heads: tuple[Tensor, Tensor], views: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every term with a weight above 0, unweighted, by name; see ``forward``."""
        main, auxiliary = (head.float() for head in heads)
        grid = views["grid"]
        first, second = main.chunk(2)
        compute: dict[str, Callable[[], Tensor]] = {
            "self_clustering": lambda: self.self_clustering(main),
            "affine": lambda: self.affine(first, second, grid),
            "auxiliary": lambda: self.affine(first.detach(), auxiliary.chunk(2)[1], grid),
            "spatial": lambda: self.spatial(main),
            "total_variation": lambda: self.total_variation(main, views["image"]),
            "balance": lambda: self.balance(main),
            "weak_label": lambda: self._cue(main, views["weak_label"], grid),
            "mutual_information": lambda: self.mutual_information(first, second, grid),
            "authors_affine": lambda: self.authors_affine(first, auxiliary.chunk(2)[0]),
            "authors_spatial": lambda: self.authors_spatial(main),
        }
        return {name: compute[name]() for name, weight in self.weights.items() if weight > 0}

    def forward(self, input: tuple[Tensor, Tensor], target: dict[str, Tensor]) -> Tensor:
        """Loss of one batch.

        Args:
            input: main and auxiliary cluster logits of 2B images, first the B originals, then the B transformed ones.
            target: "image" (2B, C, X, Y[, Z]) both views, "grid" (B, X, Y[, Z], D) of the transformation, and, when
                ``weak_label`` is above 0, "weak_label" (B, 1, X, Y[, Z]) the vote on the originals.
        """
        if self.weights["weak_label"] > 0 and "weak_label" not in target:
            raise ValueError(
                "the weak label term has a weight and the batch no 'weak_label'; add WeakLabeld to the transforms"
            )
        terms = self.terms(input, target)
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()

    def _cue(self, main: Tensor, vote: Tensor, grid: Tensor) -> Tensor:
        assert self.assignment_matrix is not None, "__init__ refuses this"
        foreground = self.assignment_matrix()[:, 1:].sum(dim=1) > 0
        logit = torch.logsumexp(main[:, foreground], dim=1) - torch.logsumexp(main[:, ~foreground], dim=1)
        votes = torch.cat([vote, warp(vote, grid)])
        return self.weak_label(logit.unsqueeze(1), votes, torch.cat([torch.ones_like(vote), in_bounds_mask(grid)]))
