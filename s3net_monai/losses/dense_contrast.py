"""Dense contrast: a location attracts its counterpart in another view and repels others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.correspondence import far_apart, resize_grid, sample_features, sample_locations

_IGNORED = -100


class DenseContrastiveLoss(_Loss):
    """InfoNCE over sampled locations with geometric positives (IDEAL, arXiv 2210.15075).

    From every image, up to N locations q of the second view are sampled whose point in the first view, read from the
    grid between the views, lies inside the first view. The anchor a_q is the feature of the first view at that point,
    interpolated linearly; the positive k_q is the feature of the second view at q. Negatives are the k of the image's
    other locations whose points are farther than ``radius`` from that of q, those of the other images, and a queue::

        mean over q of -log( exp(a_q.k_q / t) / ( exp(a_q.k_q / t) + sum over negatives n of exp(a_q.k_n / t) ) )

    with cosine similarity. Features without any information cost ``log(1 + number of negatives)``. A location without
    negatives is ignored; if all are, the loss is 0. The paper does not give temperature, number of locations, radius
    or queue, so they are settings. Correspondence by the best match of features collapses early in training, hence the
    geometry.

    Memory: B images with N locations each and M queue entries give a similarity matrix of (B N) x (B N + M), whatever
    the size of the maps; forward and backward hold at most 14 bytes per entry at once, besides a few copies of the
    feature maps and the sampled features. A matrix of more than ``limit`` entries is refused.

    Args:
        temperature: t above.
        samples: N above.
        radius: in voxels of the first view's feature map. Points closer than one voxel have nearly the same feature.
        limit: maximum number of entries of the similarity matrix; the default, 2**24, bounds its memory at 224 MiB.

    Raises:
        ValueError: when a setting is out of range, and, in ``forward``, when the matrix would exceed the limit or
            shapes do not match.

    Example:
        >>> first, second = torch.randn(2, 16, 8, 8), torch.randn(2, 16, 8, 8)
        >>> grid = F.affine_grid(torch.eye(2, 3).repeat(2, 1, 1), [2, 1, 8, 8], align_corners=False)
        >>> DenseContrastiveLoss(samples=10)(first, second, grid=grid).shape
        torch.Size([])
    """

    def __init__(self, temperature: float = 0.1, *, samples: int = 64, radius: float = 1.0, limit: int = 2**24) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, expected a positive number")
        if samples < 1 or radius < 0:
            raise ValueError(f"samples is {samples} and radius {radius}, expected at least 1 and 0")
        self.temperature, self.samples, self.radius, self.limit = temperature, samples, radius, limit

    def forward(
        self, input: Tensor, target: Tensor, *, grid: Tensor, valid: Tensor | None = None, queue: Tensor | None = None
    ) -> Tensor:
        """Return the loss of one batch, computed in float32.

        Random numbers come from torch's global generator.

        Args:
            input: features of the first view, (B, D, X, Y[, Z]); the anchors.
            target: features of the second view, (B, D, X', Y'[, Z']).
            grid: normalized sampling grid of the second view in coordinates of the first, as ``engines.TwoViews.grid``
                makes it, at the size of the second view's features or finer, (B, X'', Y''[, Z''], spatial dims).
            valid: where the second view may be sampled at all, (B, 1, any spatial size); None means everywhere.
            queue: features of other images, (M, D); they get no gradient.
        """
        self._check(input, target, grid=grid, queue=queue)
        indices, points, usable = sample_locations(resize_grid(grid.float(), target.shape[2:]), valid, self.samples)
        anchors = F.normalize(sample_features(input.float(), points).flatten(0, 1), dim=1)
        keys = target.flatten(2).gather(2, indices[:, None].expand(-1, target.shape[1], -1))
        keys = keys.transpose(1, 2).flatten(0, 1).float()
        negative = self._negatives(points, usable, input.shape[2:])
        if queue is not None:
            keys = torch.cat([keys, queue.detach().float()])
            negative = F.pad(negative, (0, len(queue)), value=True)
        has_negative = usable.flatten() & negative.any(dim=1)
        excluded = negative.fill_diagonal_(True).logical_not_()  # the positive counts too
        with torch.autocast(input.device.type, enabled=False):
            # dividing before the product saves one matrix
            similarity = (anchors / self.temperature) @ F.normalize(keys, dim=1).T
        similarity = similarity.masked_fill(excluded, -torch.inf)
        positive = torch.arange(len(anchors), device=input.device).masked_fill(~has_negative, _IGNORED)
        loss = F.cross_entropy(similarity, positive, ignore_index=_IGNORED, reduction="sum")
        return loss / has_negative.sum().clamp_min(1)

    def _negatives(self, points: Tensor, usable: Tensor, size: torch.Size) -> Tensor:
        """Return which locations are negatives of which, (B N, B N) boolean."""
        count, samples = usable.shape
        negative = usable.expand(count, samples, count, samples).clone()
        image = torch.arange(count, device=usable.device)
        negative[image, :, image] &= far_apart(points, size, self.radius)
        return negative.flatten(2).flatten(0, 1)

    def _check(self, input: Tensor, target: Tensor, *, grid: Tensor, queue: Tensor | None) -> None:
        dims = input.dim() - 2
        if (
            target.dim() != input.dim()
            or input.shape[:2] != target.shape[:2]
            or grid.dim() != input.dim()
            or (grid.shape[0], grid.shape[-1]) != (input.shape[0], dims)
        ):
            raise ValueError(
                f"features {tuple(input.shape)} and {tuple(target.shape)} and grid {tuple(grid.shape)} do not match"
            )
        rows = len(input) * min(self.samples, target.shape[2:].numel())
        entries = rows * (rows + (0 if queue is None else len(queue)))
        if entries > self.limit:
            raise ValueError(
                f"the similarity matrix would have {entries} entries, more than the limit of {self.limit}; lower "
                "samples, the batch or the queue, or raise limit"
            )
