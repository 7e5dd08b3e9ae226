"""The terms of the label-free loss, as the bundles configure them."""

from __future__ import annotations

from s3net_monai.losses import (
    AffineConsistencyLoss,
    ClusterBalanceLoss,
    EdgeAwareTotalVariationLoss,
    SelfClusteringLoss,
    SpatialConsistencyLoss,
    WeakLabelLoss,
    WeightedTerm,
)

S3NET_WEIGHTS = {
    "self_clustering": 0.3,
    "affine": 1.0,
    "auxiliary": 0.2,
    "spatial": 0.1,
    "total_variation": 1.0,
    "balance": 1.0,
}


def terms(**weights: float) -> dict[str, WeightedTerm]:
    """Terms with these weights, by name."""
    losses = {
        "self_clustering": (SelfClusteringLoss(), ["main"]),
        "affine": (AffineConsistencyLoss(), ["first", "second", "grid"]),
        "auxiliary": (AffineConsistencyLoss(), ["first_detached", "second_auxiliary", "grid"]),
        "spatial": (SpatialConsistencyLoss(), ["main"]),
        "total_variation": (EdgeAwareTotalVariationLoss(), ["main", "image"]),
        "balance": (ClusterBalanceLoss(), ["main"]),
        "weak_label": (WeakLabelLoss(), ["foreground", "weak_label", "weak_label_weight"]),
    }
    return {name: WeightedTerm(*losses[name], weight=weight) for name, weight in weights.items()}
