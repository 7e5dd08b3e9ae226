"""Semantic-aware segmentation: one network locates objects, another refines them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ABSENT_LOG_ODDS = -10.0  # finite and moderate, so that a mean over flips can outvote a single view


class CoarseToFine(nn.Module):
    """Image to classes by way of one coarse mask per object.

    This is the second stage of arXiv 2106.01596 at inference. Every class of the coarse network becomes an attention
    mask. For each mask, the attended network receives image and mask and predicts "background or this object" for
    every voxel. The predictions are combined into logits [0, d_1 ... d_K]: d_c is the attended network's logit of the
    object minus that of the background, that is, the log-odds of the object, and the background is the reference with
    log-odds 0. A voxel therefore belongs to the object with the highest log-odds if these are above 0. Classes that
    are not attended, if any, have the log-odds ``ABSENT_LOG_ODDS`` everywhere.

    An object whose coarse mask is empty in an image stays absent there: its log-odds are ``ABSENT_LOG_ODDS``, whatever
    the attended network would predict for an empty mask. The coarse network is frozen: it is not trained here and is
    always in evaluation mode.

    Args:
        coarse: returns logits (B, out, X, Y[, Z]) of images (B, C, X, Y[, Z]) with channel 0 for the background, as
            ``EncoderUNet`` and ``DualDecoderUNet`` do.
        attended: returns logits (B, 2, X, Y[, Z]) of image and mask (B, C + 1, X, Y[, Z]).
        classes: classes of the coarse network that are refined.
        num_classes: channels of the output, background included; by default one more than the largest of ``classes``.
        mask_only: hide the image from the attended network, for networks trained that way. This is the ablation of
            how much the mask alone tells.

    Raises:
        ValueError: when ``classes`` is empty, or has a class below 1 or not below ``num_classes``.

    Example:
        >>> from s3net_monai.networks import ConvEncoder, EncoderUNet
        >>> def unet(in_channels, out_channels):
        ...     encoder = ConvEncoder(spatial_dims=2, in_channels=in_channels, channels=[4, 8])
        ...     return EncoderUNet(encoder, spatial_dims=2, in_channels=in_channels, out_channels=out_channels)
        >>> network = CoarseToFine(unet(1, 3), unet(2, 2), classes=[1, 2])
        >>> network(torch.rand(2, 1, 16, 12)).shape
        torch.Size([2, 3, 16, 12])
    """

    def __init__(
        self,
        coarse: nn.Module,
        attended: nn.Module,
        classes: Sequence[int],
        *,
        num_classes: int | None = None,
        mask_only: bool = False,
    ) -> None:
        super().__init__()
        self.classes = [int(value) for value in classes]
        self.num_classes = max(self.classes, default=0) + 1 if num_classes is None else num_classes
        if not self.classes or min(self.classes) < 1 or max(self.classes) >= self.num_classes:
            raise ValueError(f"classes are {self.classes}, expected one or more from 1 to {self.num_classes - 1}")
        self.coarse = coarse.eval().requires_grad_(False)
        self.attended = attended
        self.mask_only = mask_only
        self.absent = ABSENT_LOG_ODDS  # TorchScript cannot read constants of a Python module

    def train(self, mode: bool = True) -> CoarseToFine:
        """Set the training mode of the attended network alone."""
        super().train(mode)
        self.coarse.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, num_classes, X, Y[, Z]) of images (B, C, X, Y[, Z]) of any size."""
        with torch.no_grad():
            coarse_classes = self.coarse(x).argmax(dim=1, keepdim=True)
        masks = torch.cat([(coarse_classes == value).to(x.dtype) for value in self.classes], dim=1)
        image = torch.zeros_like(x) if self.mask_only else x
        # one object at a time: all of them in one batch would multiply the memory by their number
        object_logits = [
            self.attended(torch.cat([image, masks[:, index : index + 1]], dim=1)) for index in range(len(self.classes))
        ]
        logits = torch.full_like(object_logits[0][:, :1], self.absent).repeat_interleave(self.num_classes, dim=1)
        logits[:, 0] = 0
        for index, value in enumerate(self.classes):
            log_odds = object_logits[index][:, 1] - object_logits[index][:, 0]
            present = masks[:, index].flatten(1).amax(dim=1) > 0
            logits[:, value] = torch.where(
                present.view([-1] + [1] * (log_odds.dim() - 1)), log_odds, torch.full_like(log_odds, self.absent)
            )
        return logits
