"""Dense local contrast: a location attracts the same place in another view and repels other places and images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.correspondence import far_apart, features_at, resize_grid, sample_locations

_IGNORED = -100


class DenseContrastiveLoss(_Loss):
    """InfoNCE over N sampled locations an image, with positives by the known geometry (IDEAL, arXiv 2210.15075).

    Of every image up to N locations q of the second view are drawn whose point in the first view, read from the grid
    between the views, lies inside the first. The anchor a_q is the feature of the first view at that point,
    interpolated linearly; the positive k_q is the feature of the second view at q. Negatives are the k of the image's
    other locations whose points lie farther than ``radius`` from that of q, those of the other images, and a queue::

        mean over q of -log( exp(a_q.k_q / t) / ( exp(a_q.k_q / t) + sum over negatives n of exp(a_q.k_n / t) ) )

    with cosine similarity. Features without any information cost ``log(1 + number of negatives)``. A location with no
    negative is left out; when none is left the loss is 0. Temperature, number of locations, radius and queue are not
    known from the paper: settings. Correspondence by the best match of features collapses early, hence the geometry.

    Memory: B images, N locations each and M queue entries give a similarity matrix of (B N) x (B N + M), whatever the
    size of the maps; forward and backward hold at most 14 bytes an entry at once, beside a few copies of the feature
    maps and the sampled features. A matrix beyond ``limit`` entries is refused.

    Args:
        temperature: t above.
        samples: N above.
        radius: in voxels of the first view's feature map. Points nearer than one voxel read nearly the same feature.
        limit: most entries of the similarity matrix; the default, 2**24, bounds that at 224 MiB.

    Raises:
        ValueError: when a setting is out of range, and, in ``forward``, when the matrix would exceed the limit or
            shapes do not belong together.
    """

    def __init__(self, temperature: float = 0.1, samples: int = 64, radius: float = 1.0, limit: int = 2**24) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, expected a positive number")
        if samples < 1 or radius < 0:
            raise ValueError(f"samples is {samples} and radius {radius}, expected at least 1 and 0")
        self.temperature, self.samples, self.radius, self.limit = temperature, samples, radius, limit

    def forward(
        self, input: Tensor, target: Tensor, grid: Tensor, valid: Tensor | None = None, queue: Tensor | None = None
    ) -> Tensor:
        """Loss of one batch, computed in float32. Randomness comes from torch's global generator.

        Args:
            input: features of the first view, (B, D, X, Y[, Z]); the anchors.
            target: features of the second view, (B, D, X', Y'[, Z']).
            grid: normalized sampling grid of the second view in coordinates of the first, as ``engines.TwoViews.grid``
                makes it, at the size of the second view's features or finer, (B, X'', Y''[, Z''], spatial dims).
            valid: where the second view may be sampled at all, (B, 1, any spatial size); everywhere when None.
            queue: features of other images, (M, D); they are not taught.
        """
        self._check(input, target, grid, queue)
        place, points, usable = sample_locations(resize_grid(grid.float(), target.shape[2:]), valid, self.samples)
        anchors = F.normalize(features_at(input.float(), points).flatten(0, 1), dim=1)
        keys = target.flatten(2).gather(2, place[:, None].expand(-1, target.shape[1], -1))
        keys = keys.transpose(1, 2).flatten(0, 1).float()
        allowed = self._negatives(points, usable, input.shape[2:])
        if queue is not None:
            keys = torch.cat([keys, queue.detach().float()])
            allowed = F.pad(allowed, (0, len(queue)), value=True)
        taught = usable.flatten() & allowed.any(dim=1)
        rejected = allowed.fill_diagonal_(True).logical_not_()  # the positive counts too
        with torch.autocast(input.device.type, enabled=False):
            # divided before the product: one matrix less
            similarity = (anchors / self.temperature) @ F.normalize(keys, dim=1).T
        similarity = similarity.masked_fill(rejected, -torch.inf)
        positive = torch.arange(len(anchors), device=input.device).masked_fill(~taught, _IGNORED)
        loss = F.cross_entropy(similarity, positive, ignore_index=_IGNORED, reduction="sum")
        return loss / taught.sum().clamp_min(1)

    def _negatives(self, points: Tensor, usable: Tensor, size: torch.Size) -> Tensor:
        """Which locations are negatives of which, (B N, B N) boolean."""
        count, samples = usable.shape
        negative = usable.expand(count, samples, count, samples).clone()
        image = torch.arange(count, device=usable.device)
        negative[image, :, image] &= far_apart(points, size, self.radius)
        return negative.flatten(2).flatten(0, 1)

    def _check(self, input: Tensor, target: Tensor, grid: Tensor, queue: Tensor | None) -> None:
        dims = input.dim() - 2
        if (
            target.dim() != input.dim()
            or input.shape[:2] != target.shape[:2]
            or grid.dim() != input.dim()
            or (grid.shape[0], grid.shape[-1]) != (input.shape[0], dims)
        ):
            raise ValueError(
                f"features {tuple(input.shape)} and {tuple(target.shape)} and grid {tuple(grid.shape)} do not belong "
                "together"
            )
        rows = len(input) * min(self.samples, target.shape[2:].numel())
        entries = rows * (rows + (0 if queue is None else len(queue)))
        if entries > self.limit:
            raise ValueError(
                f"the similarity matrix would have {entries} entries, more than the limit of {self.limit}; lower "
                "samples, the batch or the queue, or raise limit"
            )
