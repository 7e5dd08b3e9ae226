"""Networks: S3-Net and its parts, and what the methods for few labels need. They know tensors only."""

from s3net_monai.networks.class_heads import ClassHeads
from s3net_monai.networks.cluster_classes import ClusterClasses, TwoHeads
from s3net_monai.networks.coarse_to_fine import CoarseToFine
from s3net_monai.networks.deformable import DeformableConv, deformable_conv
from s3net_monai.networks.encoder import ConvEncoder, feature_channels
from s3net_monai.networks.encoder_decoder import EncoderDecoder
from s3net_monai.networks.inception_lka import AttentionBlock, InceptionLKA
from s3net_monai.networks.momentum import FeatureQueue, MomentumPair
from s3net_monai.networks.object_projection import ObjectProjection
from s3net_monai.networks.projection import BothProjections, DenseProjection, GlobalProjection
from s3net_monai.networks.s3net import S3Net
from s3net_monai.networks.s3net_encoder import S3NetEncoder
from s3net_monai.networks.twin_decoders import TwinDecoders
from s3net_monai.networks.two_decoders import TwoDecoders
from s3net_monai.networks.two_networks import TwoNetworks

__all__ = [
    "AttentionBlock",
    "BothProjections",
    "ClassHeads",
    "ClusterClasses",
    "CoarseToFine",
    "ConvEncoder",
    "DeformableConv",
    "DenseProjection",
    "EncoderDecoder",
    "FeatureQueue",
    "GlobalProjection",
    "InceptionLKA",
    "MomentumPair",
    "ObjectProjection",
    "S3Net",
    "S3NetEncoder",
    "TwinDecoders",
    "TwoDecoders",
    "TwoHeads",
    "TwoNetworks",
    "deformable_conv",
    "feature_channels",
]
