"""Training and inference engines where MONAI has none: two views, naming of clusters, contrast, pairs with
unlabelled images, coarse masks, pseudo-labels, per-image fitting, moved copies at inference."""

from benchmarks.original_s3net.fit import fit_faithful
from s3net_monai.engines.best_checkpoint import BestCheckpoint
from s3net_monai.engines.checkpoints import latest_checkpoint
from s3net_monai.engines.cluster_information import ClusterInformation
from s3net_monai.engines.coarse_masks import add_coarse_masks, add_out_of_fold_masks, showing
from s3net_monai.engines.consistent_volumes import consistent_volumes
from s3net_monai.engines.contrast_views import ContrastViews
from s3net_monai.engines.flip_inferer import FlipInferer
from s3net_monai.engines.labelled_and_unlabelled import LabelledAndUnlabelled, LabelledAndUnlabelledDataset
from s3net_monai.engines.labelled_views import LabelledViews
from s3net_monai.engines.name_clusters import NameClusters
from s3net_monai.engines.per_image import PerImageInferer
from s3net_monai.engines.pretrained import load_encoder, load_network
from s3net_monai.engines.semantic_views import AttendedObject, SemanticViews
from s3net_monai.engines.turn_inferer import TurnInferer
from s3net_monai.engines.two_views import TwoViews

__all__ = [
    "AttendedObject",
    "BestCheckpoint",
    "ClusterInformation",
    "ContrastViews",
    "FlipInferer",
    "LabelledAndUnlabelled",
    "LabelledAndUnlabelledDataset",
    "LabelledViews",
    "NameClusters",
    "PerImageInferer",
    "SemanticViews",
    "TurnInferer",
    "TwoViews",
    "add_coarse_masks",
    "add_out_of_fold_masks",
    "consistent_volumes",
    "fit_faithful",
    "latest_checkpoint",
    "load_encoder",
    "load_network",
    "showing",
]
