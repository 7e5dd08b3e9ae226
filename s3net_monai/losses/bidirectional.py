"""Bidirectional consistency: two decoders that supervise each other on unlabeled images."""

from __future__ import annotations

import torch
from monai.losses import DiceCELoss, DiceLoss
from monai.networks.utils import one_hot
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss


class BidirectionalLoss(_Loss):
    """Supervised loss of two decoders, and a loss of each on the other's pseudo-labels.

    This is the fine-tuning of IDEAL, arXiv 2210.15075: a shared encoder and two different decoders; on unlabeled
    images, the voxels where one decoder is confident are labels for the other, without a gradient to the one that made
    them::

        mean of DiceCE(a, label) and DiceCE(b, label) over labeled images
        + weight * ramp_up_weight * mean of P(a, b) and P(b, a) over unlabeled images

    where P(a, b) is the loss of a on the confident pseudo-labels of b. The attribute ``ramp_up_weight`` is 1 unless
    ``engines.RampUpHandler`` sets it: pseudo-labels dominate a single labeled patient in the first iterations.

    The paper does not give the threshold, the weight, the ramp-up or P, so the first three are settings and P is our
    choice: cross-entropy, zero at voxels that are not confident and averaged over all voxels, so that it grows with
    the confidence (as in FixMatch), plus Dice over the confident voxels, so that small structures count as in the
    supervised part. Dice is computed over the whole batch: a structure that is absent from one slice costs nothing
    there.

    Args:
        threshold: probability that the predicted class of a voxel must reach to be a pseudo-label; 0 uses every voxel
            (cross pseudo supervision, arXiv 2106.01226).
        weight: weight of the unlabeled part after the ramp-up.
        dice_weight: weight of Dice relative to the cross-entropy in P.

    Raises:
        ValueError: when a setting is out of range, and, in ``forward``, when shapes do not match.

    Example:
        >>> loss = BidirectionalLoss(threshold=0.8)
        >>> logits = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
        >>> target = {"label": torch.zeros(2, 1, 8, 8), "labeled": torch.tensor([True, False])}
        >>> loss(logits, target).shape
        torch.Size([])
    """

    def __init__(self, threshold: float = 0.95, *, weight: float = 1.0, dice_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= threshold <= 1 or min(weight, dice_weight) < 0:
            raise ValueError(
                f"threshold is {threshold}, weight {weight} and dice_weight {dice_weight}, expected a threshold from "
                "0 to 1 and weights of at least 0"
            )
        self.threshold, self.weight, self.dice_weight = threshold, weight, dice_weight
        self.ramp_up_weight = 1.0
        self.supervised = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
        self.dice = DiceLoss(batch=True)

    def forward(self, input: tuple[Tensor, Tensor], target: dict[str, Tensor]) -> Tensor:
        """Return the loss of one batch, computed in float32.

        Args:
            input: logits a and b of both decoders, (N, K, X, Y[, Z]) each with K of at least 2. N is B, or 2B when
                every image comes under two perturbations, first the B images under one, then under the other. In the
                second case a on one perturbation and b on the other supervise each other. Perturbations must not
                move the image.
            target: "label" (B, 1, X, Y[, Z]), classes with 0 for the background, any value where an image is not
                labeled; and "labeled" (B,), boolean.
        """
        first, second = (logits.float() for logits in input)
        label, labeled = target["label"], target["labeled"].bool()
        views = _number_of_views((first, second), label=label, labeled=labeled)
        label, labeled = label.repeat(views, *[1] * (label.dim() - 1)), labeled.repeat(views)
        loss = first[:0].sum() + second[:0].sum()  # 0 with a graph, if no part below applies
        if labeled.any():
            label = label[labeled]
            loss = loss + (self.supervised(first[labeled], label) + self.supervised(second[labeled], label)) / 2
        if not labeled.all():
            first_unlabeled = first[~labeled]
            second_unlabeled = torch.cat(second.chunk(views)[::-1])[~labeled]  # other perturbation of the same images
            pseudo_label_loss = self.pseudo_label_loss(first_unlabeled, second_unlabeled)
            pseudo_label_loss = pseudo_label_loss + self.pseudo_label_loss(second_unlabeled, first_unlabeled)
            loss = loss + self.weight * torch.tensor(self.ramp_up_weight) * pseudo_label_loss / 2
        return loss

    def pseudo_label_loss(self, input: Tensor, teacher: Tensor) -> Tensor:
        """Return the loss on the confident pseudo-labels of a teacher, which gets no gradient.

        Args:
            input: logits (N, K, X, Y[, Z]).
            teacher: logits that the pseudo-labels are made from, of the same shape.
        """
        confidence, label = teacher.detach().softmax(dim=1).max(dim=1, keepdim=True)
        confident = (confidence >= self.threshold).to(input.dtype)
        loss = (F.cross_entropy(input, label.squeeze(1), reduction="none") * confident.squeeze(1)).mean()
        if self.dice_weight > 0:
            one_hot_label = one_hot(label, num_classes=input.shape[1]) * confident
            loss = loss + self.dice_weight * self.dice(input.softmax(dim=1) * confident, one_hot_label)
        return loss


def _number_of_views(heads: tuple[Tensor, Tensor], *, label: Tensor, labeled: Tensor) -> int:
    first, second = heads
    views = len(first) // max(len(label), 1)
    expected = (views * len(label), 1, *first.shape[2:])
    shape = (len(first), *label.shape[1:])
    if first.shape != second.shape or views not in (1, 2) or shape != expected or len(labeled) != len(label):
        raise ValueError(
            f"logits {tuple(first.shape)} and {tuple(second.shape)}, label {tuple(label.shape)} and labeled "
            f"{tuple(labeled.shape)} do not match"
        )
    if first.shape[1] < 2:
        raise ValueError(
            f"logits {tuple(first.shape)} have one channel; expected one channel per class, 0 for the background"
        )
    return views
