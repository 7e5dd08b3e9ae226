"""Labeled and unlabeled images in one batch, each under two perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from s3net_monai.engines.contrast_views import warp_image, warp_labels
from s3net_monai.engines.two_views import TwoViews


class SemiSupervisedDataset(Dataset):
    """Pairs of a labeled and an unlabeled sample, for a ``DataLoader``.

    MONAI's ``SupervisedTrainer`` then gets both in one batch. An epoch uses every sample of the larger part once and
    repeats those of the smaller one as evenly as possible, so a few labeled slices occur often. A batch of the loader
    holds as many labeled as unlabeled samples. MONAI's ``DataLoader`` seeds the random transforms of both parts in its
    workers.

    Args:
        labeled: samples with image and label.
        unlabeled: samples with image; where every sample has a label, the labeled ones may be used here too.

    Raises:
        ValueError: when a part is empty.

    Example:
        >>> data = SemiSupervisedDataset([{"image": "a"}], [{"image": "b"}, {"image": "c"}])
        >>> len(data), data[1]
        (2, {'labeled': {'image': 'a'}, 'unlabeled': {'image': 'c'}})
    """

    def __init__(self, labeled: Sequence[dict[str, Any]], unlabeled: Sequence[dict[str, Any]]) -> None:
        if not len(labeled) or not len(unlabeled):
            raise ValueError(f"{len(labeled)} labeled and {len(unlabeled)} unlabeled samples, expected some of both")
        self.labeled, self.unlabeled = labeled, unlabeled

    def __len__(self) -> int:
        return max(len(self.labeled), len(self.unlabeled))

    def __getitem__(self, index: int) -> dict[str, dict[str, Any]]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return {
            "labeled": self.labeled[index % len(self.labeled)],
            "unlabeled": self.unlabeled[index % len(self.unlabeled)],
        }


class SemiSupervisedPrepareBatch:
    """A ``prepare_batch`` that perturbs batches of a ``SemiSupervisedDataset`` twice.

    It is for MONAI's trainers. Every image is transformed once, with its label, and then recolored twice: the two
    perturbations show the same pixels, so that a prediction on one can supervise the other, as in
    ``BidirectionalLoss``. The second perturbation is the stronger one by default, since with two equal ones the
    decoders agree too soon. A part whose samples have a second view of their own (``SecondViewd``) has that view in the
    second perturbation in place of the image.

    Args:
        views: ranges of the spatial transforms, and of the intensity changes of the first perturbation; it gives the
            random numbers.
        second: ranges of the intensity changes of the second perturbation; its spatial ranges are not used.
        image_key: key of the images in either part.
        label_key: key of the labels (L, 1, X, Y[, Z]) in the labeled part.
        second_key: key of the second view, in the parts that have one.

    Example:
        >>> import torch
        >>> labeled = {"image": torch.rand(1, 1, 8, 8), "label": torch.ones(1, 1, 8, 8)}
        >>> batch = {"labeled": labeled, "unlabeled": {"image": torch.rand(2, 1, 8, 8)}}
        >>> views, target = SemiSupervisedPrepareBatch()(batch)
        >>> views.shape, target["labeled"].tolist()
        (torch.Size([6, 1, 8, 8]), [True, False, False])
    """

    def __init__(
        self,
        views: TwoViews | None = None,
        second: TwoViews | None = None,
        *,
        image_key: str = "image",
        label_key: str = "label",
        second_key: str = "image_second",
    ) -> None:
        self.views = views or TwoViews()
        self.second = second or TwoViews(gain=0.4, bias=0.2, noise=0.06)
        self.image_key, self.label_key, self.second_key = image_key, label_key, second_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one batch of L labeled and U unlabeled images, B in sum, the labeled ones first.

        Returns:
            All images under the first perturbation, then under the second, (2B, C, X, Y[, Z]); and {"label": (B, 1, X,
            Y[, Z]) int64, 0 where there is none, "labeled": (B,) boolean}.
        """

        def tensor(value: Any) -> Tensor:
            return torch.as_tensor(value).as_subclass(Tensor).to(device, non_blocking=non_blocking)

        parts = batchdata["labeled"], batchdata["unlabeled"]
        part_labels = tensor(batchdata["labeled"][self.label_key])
        images = torch.cat([tensor(part[self.image_key]) for part in parts])
        second_images = torch.cat([tensor(part.get(self.second_key, part[self.image_key])) for part in parts])
        labeled = torch.arange(len(images), device=images.device) < len(part_labels)
        with self.views.rng_scope():
            grid = self.views.grid(images)
            views = torch.cat(
                [
                    self.views.jitter_intensity(warp_image(images, grid)),
                    self.second.jitter_intensity(warp_image(second_images, grid)),
                ]
            )
        label = torch.zeros(len(images), *part_labels.shape[1:], dtype=torch.int64, device=images.device)
        label[labeled] = warp_labels(part_labels, grid[labeled], "reflection")
        return views, {"label": label, "labeled": labeled}
