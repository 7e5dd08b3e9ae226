"""Images with the mask of one object as a further channel.

They are for semantic-aware contrast and for segmenting the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from s3net_monai.engines.contrast_views import warp_image, warp_labels
from s3net_monai.engines.two_views import TwoViews
from s3net_monai.transforms.jitter_mask import jitter_masks


class SemanticViews:
    """A ``prepare_batch`` that makes two views of (image, mask of one object), and its class.

    It is for MONAI's trainers. For every image one of the classes that it shows is chosen, the one that is rarest in
    the batch. Both views are transformed with their mask and recolored; each mask is jittered independently, since a
    coarse segmenter's masks will not be exact. Two views give every sample a positive, however small the batch. Images
    that show none of the classes are dropped, and so are those whose object is outside a view. ``views`` gives the
    random numbers.

    Args:
        classes: the classes to choose from, above 0.
        views: ranges of the spatial transforms and of the intensity changes.
        jitter: arguments of ``jitter_masks`` other than its defaults.
        mask_only: blank the image; this ablation shows how much can be learned from the mask alone.
        image_key: key of the images in a batch.
        mask_key: key of the label maps (B, 1, X, Y[, Z]) from which the masks are taken: labels, or masks made without
            labels.

    Raises:
        ValueError: when no class is given, or one below 1; on a batch without any object.

    Example:
        >>> import torch
        >>> label = torch.zeros(3, 1, 16, 16)
        >>> label[..., 4:12, 4:12] = 2
        >>> still = TwoViews(rotate=0, scale=0, shear=0, translate=0)
        >>> views, classes = SemanticViews([1, 2], still)({"image": torch.rand(3, 1, 16, 16), "label": label})
        >>> views.shape, classes.tolist()
        (torch.Size([6, 2, 16, 16]), [2, 2, 2, 2, 2, 2])
    """

    def __init__(
        self,
        classes: Sequence[int],
        views: TwoViews | None = None,
        jitter: Mapping[str, Any] | None = None,
        *,
        mask_only: bool = False,
        image_key: str = "image",
        mask_key: str = "label",
    ) -> None:
        self.classes = _validated(classes)
        self.views = views or TwoViews()
        self.jitter = dict(jitter or {})
        self.mask_only, self.image_key, self.mask_key = mask_only, image_key, mask_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the views of one batch.

        Returns:
            Image and mask of all first views, then of all second ones, (2B', C + 1, X, Y[, Z]), and the class of each,
            (2B',) int64; B' is at most the size of the batch.
        """
        image, labels = _tensors(batchdata, (self.image_key, self.mask_key), device, non_blocking=non_blocking)
        with self.views.rng_scope():
            chosen = balanced_classes(labels, self.classes)
            grids = [self.views.grid(image) for _ in range(2)]
            exact = (labels == _broadcast(chosen, labels)) & (_broadcast(chosen, labels) > 0)
            masks = [warp_labels(exact, grid) for grid in grids]
            visible = torch.stack([mask.flatten(1).any(dim=1) for mask in masks]).all(dim=0)
            if not visible.any():
                raise ValueError(
                    f"no image of this batch shows one of the classes {self.classes} under {self.mask_key!r}; "
                    "train on slices that do"
                )
            images = [self.views.jitter_intensity(warp_image(image, grid)) for grid in grids]
            jittered = [jitter_masks(mask.to(image.dtype), **self.jitter) for mask in masks]
        views = [
            torch.cat([torch.zeros_like(view) if self.mask_only else view, mask], dim=1)[visible]
            for view, mask in zip(images, jittered, strict=True)
        ]
        return torch.cat(views), chosen[visible].repeat(2)


class AttendedObject:
    """A ``prepare_batch`` with (image, jittered mask of one object) in, that object as target.

    It is for MONAI's trainers. It serves the fine-tuning that follows ``SemanticViews``. For every image one class is
    chosen in the same way; an image that shows none gets any class, with an empty mask and target. Geometry and
    intensities are left to the transforms of the data set.

    Args:
        classes: as for ``SemanticViews``.
        jitter: as for ``SemanticViews``.
        mask_only: as for ``SemanticViews``.
        image_key: as for ``SemanticViews``.
        mask_key: key of the label maps from which the masks are taken; out-of-fold predictions, where the masks of test
            images will be predictions too.
        label_key: key of the exact label maps.

    Raises:
        ValueError: when no class is given, or one below 1.

    Example:
        >>> import torch
        >>> label = torch.zeros(1, 1, 16, 16)
        >>> label[..., 4:12, 4:12] = 2
        >>> inputs, target = AttendedObject([1, 2])({"image": torch.rand(1, 1, 16, 16), "label": label})
        >>> inputs.shape, int(target.sum())
        (torch.Size([1, 2, 16, 16]), 64)
    """

    def __init__(
        self,
        classes: Sequence[int],
        jitter: Mapping[str, Any] | None = None,
        *,
        mask_only: bool = False,
        image_key: str = "image",
        mask_key: str = "label",
        label_key: str = "label",
    ) -> None:
        self.classes = _validated(classes)
        self.jitter = dict(jitter or {})
        self.mask_only, self.image_key = mask_only, image_key
        self.mask_key, self.label_key = mask_key, label_key

    def __call__(
        self, batchdata: dict[str, Any], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Return the inputs and targets of one batch.

        Returns:
            Image and mask (B, C + 1, X, Y[, Z]), and the object's exact mask (B, 1, X, Y[, Z]) int64.
        """
        keys = (self.image_key, self.mask_key, self.label_key)
        image, coarse, exact = _tensors(batchdata, keys, device, non_blocking=non_blocking)
        chosen = balanced_classes(coarse, self.classes)
        any_class = torch.tensor(self.classes)[torch.randint(len(self.classes), (len(chosen),))].to(chosen)
        chosen = torch.where(chosen == 0, any_class, chosen)
        mask = jitter_masks((coarse == _broadcast(chosen, coarse)).to(image.dtype), **self.jitter)
        visible_image = torch.zeros_like(image) if self.mask_only else image
        return torch.cat([visible_image, mask], dim=1), (exact == _broadcast(chosen, exact)).long()


def balanced_classes(labels: Tensor, classes: Sequence[int]) -> Tensor:
    """Return one of the classes in each label map, so that all are chosen about equally often.

    Maps with the fewest classes come first, and each takes the class that is rarest so far; torch's global generator
    decides between equals.

    Args:
        labels: (B, 1, X, Y[, Z]).
        classes: the classes to choose from.

    Returns:
        (B,) int64; 0 where a map has none of the classes.
    """
    present = torch.stack([(labels == value).flatten(1).any(dim=1) for value in classes], dim=1).cpu()
    chosen = torch.zeros(len(labels), dtype=torch.int64)
    counts = torch.zeros(len(classes))
    for index in (present.sum(dim=1) + torch.rand(len(labels))).argsort().tolist():
        if present[index].any():
            priority = counts + 0.5 * torch.rand(len(classes))
            rarest = int(priority.masked_fill(~present[index], torch.inf).argmin())
            chosen[index] = classes[rarest]
            counts[rarest] += 1
    return chosen.to(labels.device)


def _validated(classes: Sequence[int]) -> list[int]:
    values = [int(value) for value in classes]
    if not values or min(values) < 1:
        raise ValueError(f"classes are {values}, expected one or several above 0")
    return values


def _broadcast(values: Tensor, maps: Tensor) -> Tensor:
    """Return one value per map in a shape that broadcasts over the maps."""
    return values.view(-1, *[1] * (maps.dim() - 1))


def _tensors(
    batchdata: dict[str, Any], keys: Sequence[str], device: str | torch.device | None, *, non_blocking: bool
) -> list[Tensor]:
    values = [torch.as_tensor(batchdata[key]).as_subclass(Tensor) for key in keys]
    return [value.to(device, non_blocking=non_blocking) for value in values]
