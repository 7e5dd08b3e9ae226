"""Losses, one idea a module. They know tensors only."""

from s3net_monai.losses.affine_consistency import AffineConsistencyLoss
from s3net_monai.losses.cluster_balance import ClusterBalanceLoss
from s3net_monai.losses.cue_vote import CueVoteLoss
from s3net_monai.losses.label_free import LabelFreeLoss
from s3net_monai.losses.self_clustering import SelfClusteringLoss
from s3net_monai.losses.spatial_consistency import SpatialConsistencyLoss
from s3net_monai.losses.total_variation import EdgeAwareTotalVariationLoss

__all__ = [
    "AffineConsistencyLoss",
    "ClusterBalanceLoss",
    "CueVoteLoss",
    "EdgeAwareTotalVariationLoss",
    "LabelFreeLoss",
    "SelfClusteringLoss",
    "SpatialConsistencyLoss",
]
