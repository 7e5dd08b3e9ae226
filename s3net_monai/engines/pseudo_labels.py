"""Pseudo-labels: masks of volumes on which a network is consistent under transforms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from monai.transforms import KeepLargestConnectedComponent
from torch import Tensor, nn

from s3net_monai.engines.affine_tta_inferer import AffineTTAInferer
from s3net_monai.engines.agreement import view_agreement
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.printing import progress_bar

Samples = list[dict[str, Any]]


@torch.no_grad()
def select_pseudo_labels(
    samples: Sequence[dict[str, Any]],
    network: nn.Module,
    inferer: AffineTTAInferer,
    *,
    fraction: float,
    largest: bool = True,
    complete: bool = True,
    image_key: str = "image",
    label_key: str = "label",
) -> Samples:
    """Return the samples of the most consistent volumes, with the network's masks as labels.

    Consistency is what ``s3net segment`` reports: the mean Dice of the masks of transformed copies with the mask of
    their mean. It is S3-Net's spatial consistency, used here to select the volumes to train on. Where every volume
    shows every structure, it is multiplied by the fraction of the classes that the mask shows, since a network that
    misses a structure does so in every copy. Volumes are selected as a whole, because a mask that is right in one slice
    and wrong in the next is most often wrong in both.

    Args:
        samples: slices (C, X, Y) as ``extract_slices`` gives them, those of one "volume" side by side, or volumes
            (C, X, Y, Z) without that entry; plain tensors under ``image_key``. Labels that they may have are not used.
        network: logits (B, classes, X, Y[, Z]) of images; it is left unchanged.
        inferer: makes the copies that measure consistency and whose mean gives the mask.
        fraction: of the volumes to select, at least one volume; above 0, at most 1.
        largest: keep only the largest component of every class in a volume, for structures of one piece.
        complete: whether every volume shows every structure. Single slices do not: there the fraction of the classes
            would rank those slices first in which the network wrongly marks a structure.
        image_key: of the images.
        label_key: for the masks, (1, X, Y[, Z]) uint8.

    Returns:
        Samples, the most consistent volume first; none where there are no samples.

    Raises:
        DataError: for a fraction out of range, and where no volume shows a class, as when the network has learned
            nothing.

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 16, 16)
        >>> image[:, 5:11, 5:11] = 1
        >>> network = torch.nn.Conv2d(1, 2, 1)
        >>> network.weight.data = torch.tensor([-9.0, 9.0]).reshape(2, 1, 1, 1)
        >>> network.bias.data = torch.tensor([9.0, 0.0])
        >>> selected = select_pseudo_labels([{"image": image}], network, AffineTTAInferer(), fraction=1.0)
        >>> int(selected[0]["label"].sum())
        36
    """
    if not 0 < fraction <= 1:
        raise DataError(
            f"fraction is {fraction}, expected over 0 and at most 1: the part of the volumes to use as pseudo-labels"
        )
    if not samples:
        return []
    training = network.training
    network.eval()
    ranked: list[tuple[float, Samples]] = []
    volumes = [list(group) for _, group in itertools.groupby(enumerate(samples), key=_volume_id)]
    for volume in progress_bar(volumes, "pseudo-labels", unit="volume", leave=False):
        parts = [sample for _, sample in volume]
        images = torch.stack([sample[image_key] for sample in parts])
        masks, agreement, shown_fraction = _masks(images, network, inferer, largest=largest)
        # Empty masks agree perfectly, but a network learns nothing from them.
        consistency = agreement * (shown_fraction if complete else float(shown_fraction > 0))
        labeled = [{**sample, label_key: mask} for sample, mask in zip(parts, masks, strict=True)]
        ranked.append((consistency, labeled))
    network.train(training)
    ranked.sort(key=lambda entry: -entry[0])
    selected = [entry for entry in ranked[: max(1, round(fraction * len(ranked)))] if entry[0] > 0]
    if not selected:
        raise DataError(
            f"none of {len(ranked)} volumes has a mask that is consistent when the image is transformed; "
            "train the teacher for longer"
        )
    return [sample for _, volume in selected for sample in volume]


def _volume_id(entry: tuple[int, dict[str, Any]]) -> Any:
    index, sample = entry
    return sample.get("volume", index)


def _masks(
    images: Tensor, network: nn.Module, inferer: AffineTTAInferer, *, largest: bool
) -> tuple[list[Tensor], float, float]:
    """Return masks of one volume, their consistency, and the fraction of classes they show.

    Args:
        images: (N, C, X, Y[, Z]).
        network: see ``select_pseudo_labels``.
        inferer: see ``select_pseudo_labels``.
        largest: see ``select_pseudo_labels``.

    Returns:
        N masks (1, X, Y[, Z]) uint8, the consistency from 0 to 1, and the fraction.
    """
    device = next(network.parameters()).device
    views = [view.softmax(dim=1) for view in inferer.views(images.to(device), network)]
    mask = torch.stack(views).mean(dim=0).argmax(dim=1)
    classes = views[0].shape[1]
    agreement = view_agreement([view.argmax(dim=1) for view in views], mask, classes)
    if agreement is None:
        raise DataError(
            f"{len(views)} copy of the image, expected 2 or more: a single copy always agrees with itself; "
            "add angles_and_zooms"
        )
    shown_fraction = sum(bool((mask == value).any()) for value in range(1, classes)) / (classes - 1)
    if largest:
        mask = _largest_components(mask, classes)
    return [part[None].clone() for part in mask.to("cpu", torch.uint8)], agreement, shown_fraction


def _largest_components(mask: Tensor, classes: int) -> Tensor:
    # Slices side by side form the volume; a single sample is a volume already.
    volume = mask if len(mask) == 1 else mask[None]
    components = KeepLargestConnectedComponent(applied_labels=list(range(1, classes)))(volume)
    return torch.as_tensor(components).as_subclass(Tensor).reshape(mask.shape)
