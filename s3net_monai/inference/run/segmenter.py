"""One case from its file to a mask on its own grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from s3net_monai.engines.view_agreement import view_agreement
from s3net_monai.inference.bundle import Bundle, reading_steps
from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.run.memory import with_smaller_windows
from s3net_monai.inference.run.validate_input import check_input
from s3net_monai.io import CaseError

AFFINE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Source:
    """The image as it was read, before any preprocessing.

    Attributes:
        image: (X, Y, Z), of CT int16 in HU, else float32 as stored; (X, Y) or (X, Y, 3) uint8 for pictures.
        spacing: of a picture in mm, (row, column), where its file states one.
        notes: what the reader did that a user must know, such as slices that it filled.
    """

    image: np.ndarray
    spacing: tuple[float, float] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Segmentation:
    """``mask`` (X, Y) or (X, Y, Z) uint8 with ``affine`` (4, 4) RAS+ of the source; ``consistency`` 0 to 1.

    ``warning`` tells of a lack of memory that was got around.
    """

    mask: np.ndarray
    affine: np.ndarray
    consistency: float | None
    warning: str | None = None


def read_case(case: Case, bundle: Bundle) -> dict[str, Any]:
    """Check the input and run the bundle's preprocessing.

    Returns:
        The sample: "image" (C, X, Y[, Z]) as the network takes it, "source", a ``Source``.

    Raises:
        CaseError: when the input does not suit the task.
    """
    check_input(case, bundle.channels, bundle.modality)
    paths = [str(path) for path in case.image]
    image: str | list[str] = paths[0] if len(paths) == 1 else paths
    read, prepare = reading_steps(bundle.preprocessing)
    sample: dict[str, Any] = read({"image": image, "case_id": case.case_id, "image_path": paths[0]})
    source = _source(sample["image"], bundle.modality)
    sample = prepare(sample)
    found = int(sample["image"].shape[0])
    if found != bundle.channels:
        raise CaseError(f"{case.input.name}: {found} channels found, {bundle.channels} expected by {bundle.name}")
    sample["source"] = source
    return sample


def _source(image: Any, modality: str) -> Source:
    """Of an image (C, X, Y[, Z]): as integers where it can be, since it is kept while the network runs."""
    pixels = _plain(torch.as_tensor(image))
    if image.ndim == 4 and modality != "CT":  # of any scale, as 0 to 1
        pixels = pixels.float()
    else:
        dtype = torch.int16 if image.ndim == 4 else torch.uint8
        limits = torch.iinfo(dtype)
        pixels = pixels.nan_to_num().round().clamp(limits.min, limits.max).to(dtype)
    array = pixels[0].numpy() if pixels.shape[0] == 1 else pixels.movedim(0, -1).numpy()
    spacing = image.meta.get("spacing")
    return Source(
        array,
        None if spacing is None else (float(spacing[0]), float(spacing[1])),
        tuple(str(note) for note in image.meta.get("notes", ())),
    )


def infer_sample(sample: dict[str, Any], bundle: Bundle) -> Segmentation:
    """Average the views of the image, and bring the mask back to the source's grid by the bundle's postprocessing.

    Where the device has too little memory, the network runs again in smaller windows.

    Raises:
        CaseError: when the postprocessing leaves the source's grid, or no window is small enough for the device.
    """
    image = sample["image"]
    shape = tuple(int(size) for size in image.meta["spatial_shape"])
    affine = np.asarray(image.meta.get("original_affine", np.eye(4)), dtype=np.float64)
    (probabilities, consistency), warning = with_smaller_windows(
        lambda inferer: mean_of_views(image[None].to(bundle.device), replace(bundle, inferer=inferer)),
        bundle.inferer,
        tuple(image.shape[1:]),
        bundle.device,
    )
    sample["pred"] = MetaTensor(probabilities[0])
    del probabilities
    sample = bundle.postprocessing(sample)
    if consistency is not None:
        consistency *= float(sample.get("quality_factor", 1.0))  # what the bundle can tell from the mask itself
    result = sample["pred"]
    mask = np.asarray(result[0].cpu()).astype(np.uint8)
    if mask.shape == (*shape, 1):  # a single picture that the bundle read as a volume of one slice
        return Segmentation(mask[..., 0], np.eye(4), consistency, warning)
    if mask.shape != shape or np.abs(np.asarray(result.affine) - affine).max() > AFFINE_TOLERANCE:
        raise CaseError(
            f"the mask of {mask.shape} left the source's grid of {shape}; check postprocessing of the bundle"
        )
    return Segmentation(mask, affine, consistency, warning)


@torch.no_grad()  # a per-image inferer turns gradients on for its own fit
def mean_of_views(image: torch.Tensor, bundle: Bundle) -> tuple[torch.Tensor, float | None]:
    """Mean class probabilities (1, classes, spatial) of an image (1, C, spatial) over the inferer's views.

    And the views' agreement, None where the inferer has no views.
    """
    if not hasattr(bundle.inferer, "views"):
        return _plain(bundle.inferer(image, bundle.network)), None
    total: torch.Tensor | None = None
    masks: list[torch.Tensor] = []
    for view in bundle.inferer.views(image, bundle.network):
        view = _plain(view)
        masks.append(view.argmax(dim=1).to(torch.uint8))
        total = view.clone() if total is None else total.add_(view)
    if total is None:
        raise RuntimeError("the bundle's inferer gave no view")
    total /= len(masks)
    return total, view_agreement(masks, total.argmax(dim=1).to(torch.uint8), num_classes=total.shape[1])


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    # Metadata of a batch would be averaged along; the postprocessing takes it from the image.
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
