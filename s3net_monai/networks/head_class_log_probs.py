"""Class predictions of both heads of an S3-Net, for semi-supervised fine-tuning."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from s3net_monai.networks.cluster_to_class import ClusterToClass

_MIN_PROBABILITY = 1e-6  # keeps the logarithm and its gradient finite


class HeadClassLogProbs(nn.Module):
    """Class log-probabilities of the main and of the auxiliary head of an S3-Net.

    S3-Net already has two heads: one after the deformable convolution and the detail levels, one on the attention
    level alone. They make different errors, so ``BidirectionalLoss`` can let each supervise the other on unlabeled
    images without a second decoder. The weights stay those of ``classes``, including the assignment of clusters, so
    the bundle's own inference config loads the fine-tuned weights unchanged.

    Batch normalization keeps its running statistics, in training too: those of all training images are better than
    those of a few corrected ones that are seen again and again.

    Args:
        classes: the network that is fine-tuned.

    Example:
        >>> from s3net_monai.networks import S3Net
        >>> classes = ClusterToClass(S3Net(in_channels=1, num_clusters=4, channels=8, num_blocks=1), num_classes=2)
        >>> main, auxiliary = HeadClassLogProbs(classes)(torch.rand(2, 1, 16, 12))
        >>> main.shape == auxiliary.shape == (2, 2, 16, 12)
        True
    """

    def __init__(self, classes: ClusterToClass) -> None:
        super().__init__()
        self.classes = classes

    def train(self, mode: bool = True) -> HeadClassLogProbs:
        """Set the training mode of everything but batch normalization."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the class log-probabilities of both heads.

        Args:
            x: images (B, C, X, Y[, Z]).

        Returns:
            (B, num_classes, X, Y[, Z]) of the main and of the auxiliary head; a softmax gives the probabilities back.
        """
        main, auxiliary = self.classes.network.heads(x)
        return self._log_probabilities(main), self._log_probabilities(auxiliary)

    def _log_probabilities(self, cluster_logits: Tensor) -> Tensor:
        clusters = torch.softmax(cluster_logits.float(), dim=1)
        classes = torch.einsum("bk...,kc->bc...", clusters, self.classes.assignment_matrix())
        return torch.log(classes.clamp(min=_MIN_PROBABILITY))
