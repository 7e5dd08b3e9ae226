"""Training and inference engines where MONAI has none.

These are views for consistency and contrast, assignment of clusters to classes, semi-supervised batches, coarse masks,
pseudo-labels, loading of trained weights, per-image fitting and test-time augmentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3net_monai.utils.lazy_names import lazy_names

if TYPE_CHECKING:
    from s3net_monai.engines.affine_tta_inferer import AffineTTAInferer
    from s3net_monai.engines.agreement import view_agreement
    from s3net_monai.engines.assign_clusters import AssignClusters
    from s3net_monai.engines.checkpoints import AtomicCheckpointSaver, BestCheckpoint
    from s3net_monai.engines.closing_line import ClosingLine
    from s3net_monai.engines.cluster_information import ClusterInformation
    from s3net_monai.engines.coarse_masks import (
        add_coarse_masks,
        add_out_of_fold_masks,
        select_samples_with_classes,
    )
    from s3net_monai.engines.contrast_views import ContrastViews
    from s3net_monai.engines.devices import default_device, join_process_group, local_device
    from s3net_monai.engines.flip_tta_inferer import FlipTTAInferer
    from s3net_monai.engines.handler_mapping import attach_handlers
    from s3net_monai.engines.labeled_views import LabeledViews
    from s3net_monai.engines.non_finite import StopOnNonFinite
    from s3net_monai.engines.per_image import PerImageInferer
    from s3net_monai.engines.pretrained import load_encoder, load_network, warm_start
    from s3net_monai.engines.pseudo_labels import select_pseudo_labels
    from s3net_monai.engines.ramp_up import RampUpHandler
    from s3net_monai.engines.resume import ResumeTraining
    from s3net_monai.engines.run_start import begin_run
    from s3net_monai.engines.sampling import sampling_weights
    from s3net_monai.engines.semantic_views import AttendedObject, SemanticViews
    from s3net_monai.engines.semi_supervised import SemiSupervisedDataset, SemiSupervisedPrepareBatch
    from s3net_monai.engines.training_log import TrainingLog, ValidationLog
    from s3net_monai.engines.two_views import TwoViews
    from s3net_monai.engines.weight_interpolation import WeightInterpolationHandler
else:
    __getattr__, __dir__ = lazy_names(__name__, __file__)

__all__ = [
    "AffineTTAInferer",
    "AssignClusters",
    "AtomicCheckpointSaver",
    "AttendedObject",
    "BestCheckpoint",
    "ClosingLine",
    "ClusterInformation",
    "ContrastViews",
    "FlipTTAInferer",
    "LabeledViews",
    "PerImageInferer",
    "RampUpHandler",
    "ResumeTraining",
    "SemanticViews",
    "SemiSupervisedDataset",
    "SemiSupervisedPrepareBatch",
    "StopOnNonFinite",
    "TrainingLog",
    "TwoViews",
    "ValidationLog",
    "WeightInterpolationHandler",
    "add_coarse_masks",
    "add_out_of_fold_masks",
    "attach_handlers",
    "begin_run",
    "default_device",
    "join_process_group",
    "load_encoder",
    "load_network",
    "local_device",
    "sampling_weights",
    "select_pseudo_labels",
    "select_samples_with_classes",
    "view_agreement",
    "warm_start",
]
