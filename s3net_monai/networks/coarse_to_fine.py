"""Semantic-aware segmentation as one network: a coarse one finds the objects, an attended one draws each of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ABSENT = -10.0  # log-odds of an object that the coarse network does not see


class CoarseToFine(nn.Module):
    """Image to classes, by way of one coarse mask an object (the second stage of arXiv 2106.01596 at inference).

    The coarse network's classes become one attention mask for each object; beside the image, each makes the attended
    network answer "background or this object" for every voxel. The answers are put together as logits [0, d_1 ...
    d_K]: d_c is the attended network's logit of the object less that of the background, the object's log-odds, and the
    background is the 0 they are measured against. So a voxel is of the object with the highest odds, if those are
    above one half. Classes that are not attended, if any, have the log-odds ``ABSENT`` everywhere.

    An object whose coarse mask is empty in the image stays away: its log-odds are ``ABSENT``, whatever the attended
    network would make of an empty mask. The number is finite and not larger, so that a mean over flips outvotes a
    single view. The coarse network is frozen: it is no part of what is trained here, and always evaluates.

    Args:
        coarse: logits (B, out, X, Y[, Z]) of images (B, C, X, Y[, Z]), 0 the background, as ``EncoderUNet`` and
            ``DualDecoderUNet`` give them.
        attended: logits (B, 2, X, Y[, Z]) of image and mask (B, C + 1, X, Y[, Z]).
        classes: the objects, numbers of the coarse network's classes.
        num_classes: channels of the answer, background included; as many as the largest class asks for by default.
        mask_only: hide the image from the attended network, for networks trained so: the ablation of how much the mask
            alone tells.

    Raises:
        ValueError: when there is no class, one below 1, or one that the answer has no channel for.
    """

    def __init__(
        self,
        coarse: nn.Module,
        attended: nn.Module,
        classes: Sequence[int],
        num_classes: int | None = None,
        mask_only: bool = False,
    ) -> None:
        super().__init__()
        self.classes = [int(value) for value in classes]
        self.num_classes = max(self.classes, default=0) + 1 if num_classes is None else num_classes
        if not self.classes or min(self.classes) < 1 or max(self.classes) >= self.num_classes:
            raise ValueError(f"classes are {self.classes}, expected one or several of 1 to {self.num_classes - 1}")
        self.coarse = coarse.eval().requires_grad_(False)
        self.attended = attended
        self.mask_only = mask_only
        self.absent = ABSENT  # TorchScript sees no module's constants

    def train(self, mode: bool = True) -> CoarseToFine:
        """Training mode for the attended network alone."""
        super().train(mode)
        self.coarse.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, num_classes, X, Y[, Z]) of images (B, C, X, Y[, Z]) of any size."""
        with torch.no_grad():
            found = self.coarse(x).argmax(dim=1, keepdim=True)
        masks = torch.cat([(found == value).to(x.dtype) for value in self.classes], dim=1)
        picture = torch.zeros_like(x) if self.mask_only else x
        # one after the other: all objects at once would take their number of times the memory
        answers = [
            self.attended(torch.cat([picture, masks[:, index : index + 1]], dim=1))
            for index in range(len(self.classes))
        ]
        logits = torch.full_like(answers[0][:, :1], self.absent).repeat_interleave(self.num_classes, dim=1)
        logits[:, 0] = 0
        for index, value in enumerate(self.classes):
            odds = answers[index][:, 1] - answers[index][:, 0]
            seen = masks[:, index].flatten(1).amax(dim=1) > 0
            logits[:, value] = torch.where(
                seen.view([-1] + [1] * (odds.dim() - 1)), odds, torch.full_like(odds, self.absent)
            )
        return logits
