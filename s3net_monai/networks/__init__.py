"""Networks: S3-Net, its parts, and those of label-efficient training; pure tensor code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3net_monai.utils.lazy_names import lazy_names

if TYPE_CHECKING:
    from s3net_monai.networks.cloned_decoder_unet import ClonedDecoderUNet
    from s3net_monai.networks.cluster_to_class import ClusterToClass, S3NetTrainingHeads
    from s3net_monai.networks.coarse_to_fine import CoarseToFine
    from s3net_monai.networks.cross_pseudo_supervision import CrossPseudoSupervisionNet
    from s3net_monai.networks.deformable import DeformableConv, deformable_conv
    from s3net_monai.networks.depthwise_conv import DepthwiseConv
    from s3net_monai.networks.dual_decoder_unet import DualDecoderUNet
    from s3net_monai.networks.encoder import ConvEncoder, feature_channels
    from s3net_monai.networks.encoder_unet import EncoderUNet
    from s3net_monai.networks.head_class_log_probs import HeadClassLogProbs
    from s3net_monai.networks.inception_lka import AttentionBlock, InceptionLKA
    from s3net_monai.networks.momentum_encoder import FeatureQueue, MomentumEncoder
    from s3net_monai.networks.object_projection import ObjectProjection
    from s3net_monai.networks.projection import DenseProjection, GlobalDenseProjection, GlobalProjection
    from s3net_monai.networks.s3net import S3Net, S3NetEncoder
else:
    __getattr__, __dir__ = lazy_names(__name__, __file__)

__all__ = [
    "AttentionBlock",
    "ClonedDecoderUNet",
    "ClusterToClass",
    "CoarseToFine",
    "ConvEncoder",
    "CrossPseudoSupervisionNet",
    "DeformableConv",
    "DenseProjection",
    "DepthwiseConv",
    "DualDecoderUNet",
    "EncoderUNet",
    "FeatureQueue",
    "GlobalDenseProjection",
    "GlobalProjection",
    "HeadClassLogProbs",
    "InceptionLKA",
    "MomentumEncoder",
    "ObjectProjection",
    "S3Net",
    "S3NetEncoder",
    "S3NetTrainingHeads",
    "deformable_conv",
    "feature_channels",
]
