"""Losses of label-free, contrastive and semi-supervised training; pure tensor code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3net_monai.utils.lazy_names import lazy_names

if TYPE_CHECKING:
    from s3net_monai.losses.affine_consistency import AffineConsistencyLoss
    from s3net_monai.losses.bidirectional import BidirectionalLoss
    from s3net_monai.losses.clustering import ClusterBalanceLoss, SelfClusteringLoss
    from s3net_monai.losses.dense_contrast import DenseContrastiveLoss
    from s3net_monai.losses.label_free import LabelFreeLoss, WeightedTerm
    from s3net_monai.losses.mean_head_loss import MeanHeadDiceCELoss
    from s3net_monai.losses.momentum_contrast import (
        DenseMomentumContrast,
        GlobalMomentumContrast,
        RegionMomentumContrast,
        SummedLoss,
    )
    from s3net_monai.losses.mutual_information import MutualInformationLoss
    from s3net_monai.losses.region_contrast import RegionContrastiveLoss
    from s3net_monai.losses.semantic_contrast import SemanticContrastiveLoss
    from s3net_monai.losses.spatial_consistency import SpatialConsistencyLoss
    from s3net_monai.losses.supervised_contrast import SupervisedContrastiveLoss
    from s3net_monai.losses.total_variation import EdgeAwareTotalVariationLoss
    from s3net_monai.losses.weak_label import WeakLabelLoss
else:
    __getattr__, __dir__ = lazy_names(__name__, __file__)

__all__ = [
    "AffineConsistencyLoss",
    "BidirectionalLoss",
    "ClusterBalanceLoss",
    "DenseContrastiveLoss",
    "DenseMomentumContrast",
    "EdgeAwareTotalVariationLoss",
    "GlobalMomentumContrast",
    "LabelFreeLoss",
    "MeanHeadDiceCELoss",
    "MutualInformationLoss",
    "RegionContrastiveLoss",
    "RegionMomentumContrast",
    "SelfClusteringLoss",
    "SemanticContrastiveLoss",
    "SpatialConsistencyLoss",
    "SummedLoss",
    "SupervisedContrastiveLoss",
    "WeakLabelLoss",
    "WeightedTerm",
]
