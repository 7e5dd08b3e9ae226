"""Bidirectional consistency: two decoders that teach each other on images without a label."""

from __future__ import annotations

import torch
from monai.losses import DiceCELoss, DiceLoss
from monai.networks.utils import one_hot
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.ramp_up import sigmoid_ramp_up


class BidirectionalLoss(_Loss):
    """Supervised Dice and cross-entropy of both decoders, and the pseudo-labels of each for the other (IDEAL).

    Fine-tuning as in arXiv 2210.15075: a shared encoder and two different decoders; on unlabeled images the voxels
    where one decoder is confident are labels for the other, without a gradient to the one that made them. The weight of
    this part rises by ``sigmoid_ramp_up``, since hard pseudo-labels drown one labeled patient at first. Loss::

        DiceCE(a, label) + DiceCE(b, label), halved, over labeled images
        + weight * ramp * [ pseudo(a, b) + pseudo(b, a), halved ] over unlabeled images

    The paper leaves threshold, weight, ramp-up and the loss on pseudo-labels unknown: settings. The loss is our choice:
    cross-entropy, zero at voxels that are not trusted and averaged over all, so that its pull grows with the trust
    (as FixMatch does), and Dice over the trusted voxels, so that small structures count as in the supervised part.
    Dice runs over the batch as a whole: a structure that one slice lacks costs nothing there.

    The buffer ``step`` counts calls in training mode. A checkpoint without the loss makes a resumed run ramp up anew.

    Args:
        threshold: probability that a voxel's class must reach to be trusted; 0 trusts every voxel (cross pseudo
            supervision, arXiv 2106.01226).
        weight: weight of the unlabeled part after the ramp-up.
        ramp_up: length of the ramp-up in training iterations; 0 for none.
        pseudo_dice: weight of Dice beside the cross-entropy on pseudo-labels.

    Raises:
        ValueError: when a setting is out of range, and, in ``forward``, when shapes do not belong together.
    """

    step: Tensor

    def __init__(
        self, threshold: float = 0.95, weight: float = 1.0, ramp_up: int = 1000, pseudo_dice: float = 1.0
    ) -> None:
        super().__init__()
        if not 0 <= threshold <= 1 or min(weight, ramp_up, pseudo_dice) < 0:
            raise ValueError(
                f"threshold {threshold}, weight {weight}, ramp_up {ramp_up}, pseudo_dice {pseudo_dice}: expected a "
                "probability and nothing below 0"
            )
        self.threshold, self.weight, self.ramp_up, self.pseudo_dice = threshold, weight, ramp_up, pseudo_dice
        self.supervised = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
        self.dice = DiceLoss(batch=True)
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, input: tuple[Tensor, Tensor], target: dict[str, Tensor]) -> Tensor:
        """Loss of one batch, computed in float32.

        Args:
            input: logits a and b of both decoders, (N, K, X, Y[, Z]) each with K of at least 2. N is B, or 2B when
                every image comes under two perturbations, first the B images under one, then under the other. Then a
                on one perturbation and b on the other teach each other. Perturbations must not move the image.
            target: "label" (B, 1, X, Y[, Z]) classes, 0 the background; any value where there is no label; and
                "labeled" (B,) boolean.
        """
        first, second = (logits.float() for logits in input)
        label, labeled = target["label"], target["labeled"].bool()
        views = self._views(first, second, label, labeled)
        label, labeled = label.repeat(views, *[1] * (label.dim() - 1)), labeled.repeat(views)
        ramp = sigmoid_ramp_up(self.step, self.ramp_up)
        if self.training:
            self.step += 1
        loss = first[:0].sum() + second[:0].sum()  # a graph, even when nothing teaches
        if labeled.any():
            known = label[labeled]
            loss = loss + (self.supervised(first[labeled], known) + self.supervised(second[labeled], known)) / 2
        if not labeled.all():
            free = first[~labeled]
            other = torch.cat(second.chunk(views)[::-1])[~labeled]  # the other perturbation of the same images
            loss = loss + self.weight * ramp * (self.pseudo(free, other) + self.pseudo(other, free)) / 2
        return loss

    def pseudo(self, input: Tensor, teacher: Tensor) -> Tensor:
        """Loss of logits (N, K, X, Y[, Z]) against the confident labels of a teacher's logits, which are not taught."""
        share, label = teacher.detach().softmax(dim=1).max(dim=1, keepdim=True)
        trusted = (share >= self.threshold).to(input.dtype)
        loss = (F.cross_entropy(input, label.squeeze(1), reduction="none") * trusted.squeeze(1)).mean()
        if self.pseudo_dice > 0:
            known = one_hot(label, num_classes=input.shape[1]) * trusted
            loss = loss + self.pseudo_dice * self.dice(input.softmax(dim=1) * trusted, known)
        return loss

    @staticmethod
    def _views(first: Tensor, second: Tensor, label: Tensor, labeled: Tensor) -> int:
        views = len(first) // max(len(label), 1)
        expected = (views * len(label), 1, *first.shape[2:])
        found = (len(first), *label.shape[1:])
        if first.shape != second.shape or views not in (1, 2) or found != expected or len(labeled) != len(label):
            raise ValueError(
                f"logits {tuple(first.shape)} and {tuple(second.shape)}, label {tuple(label.shape)} and labeled "
                f"{tuple(labeled.shape)} do not belong together"
            )
        if first.shape[1] < 2:
            raise ValueError(
                f"logits {tuple(first.shape)} have one channel; expected one for every class, 0 the background"
            )
        return views
