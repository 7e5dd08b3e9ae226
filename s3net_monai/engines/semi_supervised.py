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
    """Pairs of a labeled and an unlabeled sample, for one ordinary ``DataLoader`` and MONAI's ``SupervisedTrainer``.

    An epoch takes every sample of the larger part once and repeats those of the smaller one, as evenly as can be; so a
    few labeled slices are met often. A batch of the loader holds as many labeled as unlabeled samples. MONAI's
    ``DataLoader`` seeds the random transforms of both parts in its workers.

    Args:
        labeled: samples with image and label.
        unlabeled: samples with image; where every sample has a label, the labeled ones may stand here too.

    Raises:
        ValueError: when a part is empty.
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
    """A ``prepare_batch`` for MONAI's trainers: batches of a ``SemiSupervisedDataset``, perturbed twice.

    Every image is moved once, with its label, and then recolored twice: the two perturbations show the same pixels, so
    that what is said of one can teach on the other, as ``BidirectionalLoss`` has it. The second perturbation is the
    stronger one by default, since two alike let the decoders agree too soon. A part whose samples have a second view of
    their own (``SecondViewd``) has it perturbed in place of the image.

    Args:
        views: ranges of the move, and of the colors of the first perturbation; chance is that of ``views``.
        second: ranges of the colors of the second perturbation; its moves are not used.
        image_key: key of the images in either part.
        label_key: key of the labels (L, 1, X, Y[, Z]) in the labeled part.
        second_key: key of the second view, in the parts that have one.
    """

    def __init__(
        self,
        views: TwoViews | None = None,
        second: TwoViews | None = None,
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
        """One batch of L labeled and U unlabeled images, B in sum, the labeled ones first.

        Returns:
            All images under the first perturbation, then under the second, (2B, C, X, Y[, Z]); and {"label": (B, 1, X,
            Y[, Z]) int64, 0 where there is none, "labeled": (B,) boolean}.
        """

        def tensor(value: Any) -> Tensor:
            return torch.as_tensor(value).as_subclass(Tensor).to(device, non_blocking=non_blocking)

        known, free = batchdata["labeled"], batchdata["unlabeled"]
        given = tensor(known[self.label_key])
        images = torch.cat([tensor(part[self.image_key]) for part in (known, free)])
        again = torch.cat([tensor(part.get(self.second_key, part[self.image_key])) for part in (known, free)])
        labeled = torch.arange(len(images), device=images.device) < len(given)
        with self.views.rng_scope():
            grid = self.views.grid(images)
            views = torch.cat(
                [
                    self.views.jitter_intensity(warp_image(images, grid)),
                    self.second.jitter_intensity(warp_image(again, grid)),
                ]
            )
        label = torch.zeros(len(images), *given.shape[1:], dtype=torch.int64, device=images.device)
        label[labeled] = warp_labels(given, grid[labeled], "reflection")
        return views, {"label": label, "labeled": labeled}
