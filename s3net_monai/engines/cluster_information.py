"""Mutual information of the clusters of two views, a label-free validation metric.

It selects the best weights and decides when to stop.
"""

from __future__ import annotations

import torch
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor

from s3net_monai.losses.affine_consistency import in_bounds_mask, warp


class ClusterInformation(Metric):
    """Mutual information, in nats, of the clusters of two views over all voxels that both see.

    It compares the clusters of the transformed image Tx with the transformed clusters of the image x. It is 0 when one
    cluster takes everything and when the views are independent, and at most ``log K``.

    Example:
        >>> import torch
        >>> from s3net_monai.engines import TwoViews
        >>> image = torch.rand(2, 1, 8, 8)
        >>> _, views = TwoViews(rotate=0, scale=0, shear=0, translate=0, flip=0)({"image": image})
        >>> logits = 99 * torch.cat([image > 0.5, image <= 0.5], dim=1).float().repeat(2, 1, 1, 1)
        >>> metric = ClusterInformation()
        >>> metric.update(((logits, logits), views))
        >>> 0.6 < metric.compute() <= 0.6932
        True
    """

    @reinit__is_reduced
    def reset(self) -> None:
        """Discard what was added."""
        self._joint = torch.zeros(1, 1, dtype=torch.float64)

    @reinit__is_reduced
    def update(self, output: tuple[tuple[Tensor, Tensor], dict[str, Tensor]]) -> None:
        """Add one batch.

        Args:
            output: ((main logits, auxiliary logits) of both views, views): the output of a network of two heads, and
                that of ``TwoViews``.
        """
        heads, views = output
        first, second = torch.softmax(heads[0].detach().float(), dim=1).chunk(2)
        warped = (warp(first, views["grid"]) * in_bounds_mask(views["grid"])).transpose(0, 1).flatten(1)
        joint = (warped @ second.transpose(0, 1).flatten(1).T).double().cpu()
        self._joint = self._joint + joint

    @sync_all_reduce("_joint")
    def compute(self) -> float:
        """Return the mutual information.

        Raises:
            ValueError: when nothing was added.
        """
        total = self._joint.sum()
        if total == 0:
            raise ValueError("no voxel was seen by both views; is the validation list empty?")
        joint = self._joint / total
        independent = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
        return float(torch.xlogy(joint, joint).sum() - torch.xlogy(joint, independent).sum())
