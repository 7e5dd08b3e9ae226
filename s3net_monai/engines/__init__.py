"""Training and inference engines where MONAI has none: two views, naming of clusters, contrast, pairs with
unlabeled images, coarse masks, pseudo-labels, per-image fitting, moved copies at inference."""

from s3net_monai.engines.affine_tta_inferer import AffineTTAInferer
from s3net_monai.engines.assign_clusters import AssignClusters
from s3net_monai.engines.best_checkpoint import BestCheckpoint
from s3net_monai.engines.checkpoints import latest_checkpoint
from s3net_monai.engines.cluster_information import ClusterInformation
from s3net_monai.engines.coarse_masks import add_coarse_masks, add_out_of_fold_masks, showing
from s3net_monai.engines.contrast_views import ContrastViews
from s3net_monai.engines.flip_tta_inferer import FlipTTAInferer
from s3net_monai.engines.labeled_views import LabeledViews
from s3net_monai.engines.per_image import PerImageInferer
from s3net_monai.engines.pretrained import load_encoder, load_network
from s3net_monai.engines.pseudo_labels import select_pseudo_labels
from s3net_monai.engines.ramp_up import RampUpHandler
from s3net_monai.engines.semantic_views import AttendedObject, SemanticViews
from s3net_monai.engines.semi_supervised import SemiSupervisedDataset, SemiSupervisedPrepareBatch
from s3net_monai.engines.two_views import TwoViews

__all__ = [
    "AffineTTAInferer",
    "AssignClusters",
    "AttendedObject",
    "BestCheckpoint",
    "ClusterInformation",
    "ContrastViews",
    "FlipTTAInferer",
    "LabeledViews",
    "PerImageInferer",
    "RampUpHandler",
    "SemanticViews",
    "SemiSupervisedDataset",
    "SemiSupervisedPrepareBatch",
    "TwoViews",
    "add_coarse_masks",
    "add_out_of_fold_masks",
    "latest_checkpoint",
    "load_encoder",
    "load_network",
    "select_pseudo_labels",
    "showing",
]
