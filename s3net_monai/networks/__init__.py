"""Networks: S3-Net and its parts. They know tensors only."""

from s3net_monai.networks.cluster_classes import ClusterClasses, TwoHeads
from s3net_monai.networks.deformable import DeformableConv, deformable_conv
from s3net_monai.networks.inception_lka import AttentionBlock, InceptionLKA
from s3net_monai.networks.s3net import S3Net

__all__ = [
    "AttentionBlock",
    "ClusterClasses",
    "DeformableConv",
    "InceptionLKA",
    "S3Net",
    "TwoHeads",
    "deformable_conv",
]
