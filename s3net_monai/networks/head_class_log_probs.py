"""Both heads of an S3-Net as two opinions on the classes, for fine-tuning with labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from s3net_monai.networks.cluster_to_class import ClusterToClass

_LEAST = 1e-6  # of a probability, so that its logarithm and the gradient of that stay finite


class HeadClassLogProbs(nn.Module):
    """Logarithms of the class probabilities by the main and by the auxiliary head of the network in ``classes``.

    S3-Net has two heads already: one after the deformable convolution and the detail levels, one on the attention level
    alone. They err differently, so that ``BidirectionalLoss`` lets each teach the other on unlabeled images, with no
    second decoder. The weights stay those of ``classes``, naming included: what is fine-tuned here is loaded by the
    bundle's own inference as it is.

    Batch normalization keeps the statistics that it has, in training too: those of all images are better than those of
    a few corrected ones, which are met again and again.
    """

    def __init__(self, classes: ClusterToClass) -> None:
        super().__init__()
        self.classes = classes

    def train(self, mode: bool = True) -> HeadClassLogProbs:
        """As usual, but statistics of batch normalization stay those of the training before."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (B, classes, X, Y[, Z]) of both heads; a softmax gives the probabilities back."""
        main, auxiliary = self.classes.network.heads(x)
        return self._log_probabilities(main), self._log_probabilities(auxiliary)

    def _log_probabilities(self, clusters: Tensor) -> Tensor:
        shares = torch.softmax(clusters.float(), dim=1)
        classes = torch.einsum("bk...,kc->bc...", shares, self.classes.assignment_matrix())
        return torch.log(classes.clamp(min=_LEAST))
