"""Labelled and unlabelled images in one batch, each under two perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from s3net_monai.engines.contrast_views import move, move_labels
from s3net_monai.engines.two_views import TwoViews


class LabelledAndUnlabelledDataset(Dataset):
    """Pairs of a labelled and an unlabelled sample, for one ordinary ``DataLoader`` and MONAI's ``SupervisedTrainer``.

    An epoch takes every sample of the larger part once and repeats those of the smaller one, as evenly as can be; so a
    few labelled slices are met often. A batch of the loader holds as many labelled as unlabelled samples. MONAI's
    ``DataLoader`` seeds the random transforms of both parts in its workers.

    Args:
        labelled: samples with image and label.
        unlabelled: samples with image; where every sample has a label, the labelled ones may stand here too.

    Raises:
        ValueError: when a part is empty.
    """

    def __init__(self, labelled: Sequence[dict[str, Any]], unlabelled: Sequence[dict[str, Any]]) -> None:
        if not len(labelled) or not len(unlabelled):
            raise ValueError(
                f"{len(labelled)} labelled and {len(unlabelled)} unlabelled samples, expected some of both"
            )
        self.labelled, self.unlabelled = labelled, unlabelled

    def __len__(self) -> int:
        return max(len(self.labelled), len(self.unlabelled))

    def __getitem__(self, index: int) -> dict[str, dict[str, Any]]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return {
            "labelled": self.labelled[index % len(self.labelled)],
            "unlabelled": self.unlabelled[index % len(self.unlabelled)],
        }


class LabelledAndUnlabelled:
    """A ``prepare_batch`` for MONAI's trainers: batches of a ``LabelledAndUnlabelledDataset``, perturbed twice.

    Every image is moved once, with its label, and then recoloured twice: the two perturbations show the same pixels, so
    that what is said of one can teach on the other, as ``BidirectionalLoss`` has it. The second perturbation is the
    stronger one by default, since two alike let the decoders agree too soon. A part whose samples have a second view of
    their own (``SecondViewd``) has it perturbed in place of the image.

    Args:
        views: ranges of the move, and of the colours of the first perturbation; chance is that of ``views``.
        second: ranges of the colours of the second perturbation; its moves are not used.
        image_key: key of the images in either part.
        label_key: key of the labels (L, 1, X, Y[, Z]) in the labelled part.
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
        """One batch of L labelled and U unlabelled images, B in sum, the labelled ones first.

        Returns:
            All images under the first perturbation, then under the second, (2B, C, X, Y[, Z]); and {"label": (B, 1, X,
            Y[, Z]) int64, 0 where there is none, "labelled": (B,) boolean}.
        """

        def tensor(value: Any) -> Tensor:
            return torch.as_tensor(value).as_subclass(Tensor).to(device, non_blocking=non_blocking)

        known, free = batchdata["labelled"], batchdata["unlabelled"]
        given = tensor(known[self.label_key])
        images = torch.cat([tensor(part[self.image_key]) for part in (known, free)])
        again = torch.cat([tensor(part.get(self.second_key, part[self.image_key])) for part in (known, free)])
        labelled = torch.arange(len(images), device=images.device) < len(given)
        with self.views.chance():
            grid = self.views.grid(images)
            views = torch.cat([self.views.recolour(move(images, grid)), self.second.recolour(move(again, grid))])
        label = torch.zeros(len(images), *given.shape[1:], dtype=torch.int64, device=images.device)
        label[labelled] = move_labels(given, grid[labelled], "reflection")
        return views, {"label": label, "labelled": labelled}
