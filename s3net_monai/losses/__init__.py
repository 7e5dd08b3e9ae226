"""Losses, one idea a module. They know tensors only."""

from s3net_monai.losses.affine_consistency import AffineConsistencyLoss
from s3net_monai.losses.authors import AuthorsAffineLoss, AuthorsLoss, AuthorsSpatialLoss
from s3net_monai.losses.cluster_balance import ClusterBalanceLoss
from s3net_monai.losses.cue_vote import CueVoteLoss
from s3net_monai.losses.label_free import LabelFreeLoss
from s3net_monai.losses.mutual_information import MutualInformationLoss
from s3net_monai.losses.self_clustering import SelfClusteringLoss
from s3net_monai.losses.spatial_consistency import SpatialConsistencyLoss
from s3net_monai.losses.total_variation import EdgeAwareTotalVariationLoss

__all__ = [
    "AffineConsistencyLoss",
    "AuthorsAffineLoss",
    "AuthorsLoss",
    "AuthorsSpatialLoss",
    "ClusterBalanceLoss",
    "CueVoteLoss",
    "EdgeAwareTotalVariationLoss",
    "LabelFreeLoss",
    "MutualInformationLoss",
    "SelfClusteringLoss",
    "SpatialConsistencyLoss",
]
