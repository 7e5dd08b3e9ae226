"""Pseudo-labels: whole volumes about which a trained network agrees with itself, however they are moved."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from monai.transforms import KeepLargestConnectedComponent
from torch import Tensor, nn
from tqdm import tqdm

from s3net_monai.engines.affine_tta_inferer import AffineTTAInferer
from s3net_monai.engines.view_agreement import view_agreement
from s3net_monai.utils.errors import DataError

Samples = list[dict[str, Any]]


@torch.no_grad()
def select_pseudo_labels(
    samples: Sequence[dict[str, Any]],
    network: nn.Module,
    inferer: AffineTTAInferer,
    share: float,
    largest: bool = True,
    complete: bool = True,
    image_key: str = "image",
    label_key: str = "label",
) -> Samples:
    """The samples of the most consistent volumes, with the network's masks of them as labels.

    Consistency is what ``s3net segment`` reports: the mean Dice of the masks of moved copies with the mask of their
    mean. Of volumes that show every structure it is multiplied by the share of the classes that the mask shows, since a
    network that misses a structure does so in every copy. It is S3-Net's spatial consistency, used to choose what is
    worth learning from. Volumes are taken or left as a whole, because a mask that is right in one slice and wrong in
    the next is most often wrong in both.

    Args:
        samples: slices (C, X, Y) as ``extract_slices`` gives them, those of one "volume" side by side, or volumes
            (C, X, Y, Z) without that entry; plain tensors under ``image_key``. Labels they may have are not looked at.
        network: logits (B, classes, X, Y[, Z]) of images; it is left as it was.
        inferer: copies by which consistency is measured, and whose mean is the mask.
        share: of the volumes to take, at least one; over 0, at most 1.
        largest: keep only the largest component of every class in a volume, for structures that are one piece.
        complete: every volume shows every structure. Single slices do not: there the share of the classes would take
            those first in which a structure is drawn that they do not show.
        image_key: of the images.
        label_key: for the masks, (1, X, Y[, Z]) uint8.

    Raises:
        DataError: for a share out of range, and where no volume shows a class, as when the network has learned nothing.
    """
    if not 0 < share <= 1:
        raise DataError(f"share is {share}, expected over 0 and at most 1: the part of the volumes to learn from")
    training = network.training
    network.eval()
    found: list[tuple[float, Samples]] = []
    volumes = [list(group) for _, group in itertools.groupby(enumerate(samples), key=_volume)]
    for volume in tqdm(volumes, "pseudo-labels", unit="volume", leave=False):
        parts = [sample for _, sample in volume]
        masks, agreement, shown = _masks(
            torch.stack([sample[image_key] for sample in parts]), network, inferer, largest
        )
        consistency = agreement * (shown if complete else float(shown > 0))  # empty masks agree, and teach nothing
        found.append((consistency, [{**s, label_key: m} for s, m in zip(parts, masks, strict=True)]))
    network.train(training)
    found.sort(key=lambda entry: -entry[0])
    taken = [entry for entry in found[: max(1, round(share * len(found)))] if entry[0] > 0]
    if not taken:
        raise DataError(
            f"none of {len(found)} volumes has a mask that holds when it is moved; train the teacher for longer"
        )
    return [sample for _, volume in taken for sample in volume]


def _volume(entry: tuple[int, dict[str, Any]]) -> Any:
    index, sample = entry
    return sample.get("volume", index)


def _masks(
    images: Tensor, network: nn.Module, inferer: AffineTTAInferer, largest: bool
) -> tuple[list[Tensor], float, float]:
    """Masks (1, X, Y[, Z]) uint8 of (N, C, X, Y[, Z]); as one volume, their consistency, 0 to 1, and the share of the
    classes that they show.
    """
    device = next(network.parameters()).device
    views = [view.softmax(dim=1) for view in inferer.views(images.to(device), network)]
    mask = torch.stack(views).mean(dim=0).argmax(dim=1)
    classes = views[0].shape[1]
    agreement = view_agreement([view.argmax(dim=1) for view in views], mask, classes)
    if agreement is None:
        raise DataError(f"{len(views)} copy of the image, expected 2 or more: one agrees with itself; add copies")
    shown = sum(bool((mask == value).any()) for value in range(1, classes))
    if largest:
        mask = _largest_components(mask, classes)
    return [part[None].clone() for part in mask.to("cpu", torch.uint8)], agreement, shown / (classes - 1)


def _largest_components(mask: Tensor, classes: int) -> Tensor:
    # slices side by side make the volume; a single sample is one already
    volume = mask if len(mask) == 1 else mask[None]
    kept = KeepLargestConnectedComponent(applied_labels=list(range(1, classes)))(volume)
    return torch.as_tensor(kept).as_subclass(Tensor).reshape(mask.shape)
