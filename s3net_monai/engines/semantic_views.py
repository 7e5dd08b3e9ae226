"""Images with the mask of one object beside them: for semantic-aware contrast, and for segmenting that object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from s3net_monai.engines.contrast_views import warp_image, warp_labels
from s3net_monai.engines.two_views import TwoViews
from s3net_monai.transforms.jitter_mask import jitter_masks


class SemanticViews:
    """A ``prepare_batch`` for MONAI's trainers: two views of (image, mask of one object), the object being the class.

    For every image one of the classes that it shows is chosen, the one that the batch has fewest of. Both views are
    moved with their mask and recolored; each mask is jittered for itself, since a coarse segmenter's masks will not be
    exact. Two views give every sample a positive, however small the batch. Images that show none of the classes are
    left out, and so are those whose object a view has lost. Randomness is that of ``views``.

    Args:
        classes: the classes to choose from, above 0.
        views: ranges of the moves and colors.
        jitter: arguments of ``jitter_masks`` other than its defaults.
        mask_only: blank the image: the ablation of how much can be read off the mask alone.
        image_key: key of the images in a batch.
        mask_key: key of the label maps (B, 1, X, Y[, Z]) that the masks are of: labels, or masks found without labels.

    Raises:
        ValueError: when no class is given, or one below 1; on a batch without any object.
    """

    def __init__(
        self,
        classes: Sequence[int],
        views: TwoViews | None = None,
        jitter: Mapping[str, Any] | None = None,
        mask_only: bool = False,
        image_key: str = "image",
        mask_key: str = "label",
    ) -> None:
        self.classes = _checked(classes)
        self.views = views or TwoViews()
        self.jitter = dict(jitter or {})
        self.mask_only, self.image_key, self.mask_key = mask_only, image_key, mask_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Views of one batch.

        Returns:
            Image and mask of all first views, then of all second ones, (2B', C + 1, X, Y[, Z]), and the class of each,
            (2B',) int64; B' is at most the size of the batch.
        """
        image, labels = _tensors(batchdata, (self.image_key, self.mask_key), device, non_blocking)
        with self.views.rng_scope():
            chosen = balanced_classes(labels, self.classes)
            grids = [self.views.grid(image) for _ in range(2)]
            exact = (labels == _beside(chosen, labels)) & (_beside(chosen, labels) > 0)
            masks = [warp_labels(exact, grid) for grid in grids]
            shown = torch.stack([mask.flatten(1).any(dim=1) for mask in masks]).all(dim=0)
            if not shown.any():
                raise ValueError(
                    f"no image of this batch shows one of the classes {self.classes} under {self.mask_key!r}; "
                    "train on slices that do"
                )
            pictures = [self.views.jitter_intensity(warp_image(image, grid)) for grid in grids]
            attention = [jitter_masks(mask.to(image.dtype), **self.jitter) for mask in masks]
        views = [
            torch.cat([torch.zeros_like(picture) if self.mask_only else picture, mask], dim=1)[shown]
            for picture, mask in zip(pictures, attention, strict=True)
        ]
        return torch.cat(views), chosen[shown].repeat(2)


class AttendedObject:
    """A ``prepare_batch`` for MONAI's trainers: (image, jittered mask of one object) in, that object out.

    The fine-tuning that follows ``SemanticViews``: for every image one class is chosen as there, or any class where it
    shows none, whose mask and target are then empty. Geometry and colors are left to the transforms of the data set.

    Args:
        classes, jitter, mask_only, image_key: as for ``SemanticViews``.
        mask_key: key of the label maps that the masks are of; out-of-fold predictions, where the masks of test images
            will be predictions too.
        label_key: key of the exact label maps.

    Raises:
        ValueError: when no class is given, or one below 1.
    """

    def __init__(
        self,
        classes: Sequence[int],
        jitter: Mapping[str, Any] | None = None,
        mask_only: bool = False,
        image_key: str = "image",
        mask_key: str = "label",
        label_key: str = "label",
    ) -> None:
        self.classes = _checked(classes)
        self.jitter = dict(jitter or {})
        self.mask_only, self.image_key = mask_only, image_key
        self.mask_key, self.label_key = mask_key, label_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """One batch: image and mask (B, C + 1, X, Y[, Z]), and the object's exact mask (B, 1, X, Y[, Z]) int64."""
        keys = (self.image_key, self.mask_key, self.label_key)
        image, coarse, exact = _tensors(batchdata, keys, device, non_blocking)
        chosen = balanced_classes(coarse, self.classes)
        anything = torch.tensor(self.classes)[torch.randint(len(self.classes), (len(chosen),))].to(chosen)
        chosen = torch.where(chosen == 0, anything, chosen)
        mask = jitter_masks((coarse == _beside(chosen, coarse)).to(image.dtype), **self.jitter)
        picture = torch.zeros_like(image) if self.mask_only else image
        return torch.cat([picture, mask], dim=1), (exact == _beside(chosen, exact)).long()


def balanced_classes(labels: Tensor, classes: Sequence[int]) -> Tensor:
    """For each label map (B, 1, X, Y[, Z]) one of the classes in it, so that all are chosen about equally often.

    Images with the least choice come first, and each takes the class that is rarest so far; torch's global generator
    decides between equals. 0 where a map has none of the classes. Returns (B,) int64.
    """
    present = torch.stack([(labels == value).flatten(1).any(dim=1) for value in classes], dim=1).cpu()
    chosen = torch.zeros(len(labels), dtype=torch.int64)
    used = torch.zeros(len(classes))
    for index in (present.sum(dim=1) + torch.rand(len(labels))).argsort().tolist():
        if present[index].any():
            rarity = used + 0.5 * torch.rand(len(classes))
            best = int(rarity.masked_fill(~present[index], torch.inf).argmin())
            chosen[index] = classes[best]
            used[best] += 1
    return chosen.to(labels.device)


def _checked(classes: Sequence[int]) -> list[int]:
    listed = [int(value) for value in classes]
    if not listed or min(listed) < 1:
        raise ValueError(f"classes are {listed}, expected one or several above 0")
    return listed


def _beside(values: Tensor, maps: Tensor) -> Tensor:
    return values.view(-1, *[1] * (maps.dim() - 1))


def _tensors(
    batchdata: dict[str, Any], keys: Sequence[str], device: str | torch.device | None, non_blocking: bool
) -> list[Tensor]:
    found = [torch.as_tensor(batchdata[key]).as_subclass(Tensor) for key in keys]
    return [value.to(device, non_blocking=non_blocking) for value in found]
