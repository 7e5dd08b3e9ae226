"""How much the clusters of two views say about one another: a label-free figure to select and stop training by."""

from __future__ import annotations

import torch
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from torch import Tensor

from s3net_monai.losses.affine_consistency import in_bounds_mask, warp


class ClusterInformation(Metric):
    """Mutual information, in nats, of the clusters of Tx and the moved clusters of x, over all voxels that both see.

    It is 0 when one cluster takes everything and when the views disagree, and at most ``log K``. Update with
    ((main logits, auxiliary logits) of both views, views), the output of a network of two heads and ``TwoViews``.
    """

    @reinit__is_reduced
    def reset(self) -> None:
        self._joint = torch.zeros(1, 1, dtype=torch.float64)

    @reinit__is_reduced
    def update(self, output: tuple[tuple[Tensor, Tensor], dict[str, Tensor]]) -> None:
        heads, views = output
        first, second = torch.softmax(heads[0].detach().float(), dim=1).chunk(2)
        moved = (warp(first, views["grid"]) * in_bounds_mask(views["grid"])).transpose(0, 1).flatten(1)
        joint = (moved @ second.transpose(0, 1).flatten(1).T).double().cpu()
        self._joint = self._joint + joint

    @sync_all_reduce("_joint")
    def compute(self) -> float:
        """The mutual information.

        Raises:
            ValueError: when nothing was added.
        """
        total = self._joint.sum()
        if total == 0:
            raise ValueError("no voxel was seen by both views; is the validation list empty?")
        joint = self._joint / total
        independent = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
        return float(torch.xlogy(joint, joint).sum() - torch.xlogy(joint, independent).sum())
