"""Segmentation of one case, from its file to a mask on the grid of the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from s3net_monai.engines.agreement import view_agreement
from s3net_monai.inference.bundle import Bundle, reading_steps, repairing_steps
from s3net_monai.inference.class_count import check_channels
from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.report.previews import thinning_step
from s3net_monai.inference.run.memory import with_smaller_windows
from s3net_monai.inference.run.read_as_stored import read_as_stored
from s3net_monai.inference.run.validate_input import check_input
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.phases import with_phase
from s3net_monai.transforms.crop_surround import CONTENT_KEY
from s3net_monai.transforms.ct_values import HOUNSFIELD_KEY
from s3net_monai.transforms.highest_class import highest_class
from s3net_monai.transforms.memory_order import in_memory_order, lowest_and_highest
from s3net_monai.utils.mapped_stack import MappedStack

AFFINE_TOLERANCE = 1e-4
BLOCK = 16  # lines or planes that are converted at a time


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """The image as it was read, its values repaired, before any other preprocessing.

    Attributes:
        image: (X, Y, Z), int16 in HU for CT, else float32 as stored; (X, Y) or (X, Y, 3) uint8 for 2-D images, of large
            ones every n-th pixel, as many as their preview needs; or the file that a volume is in.
        uniform: whether all its values are equal.
        spacing: (row, column) spacing in mm of a 2-D image whose file states it.
        notes: what the reader and the preprocessing did that a user must know, such as slices that were filled in.
        in_hu: whether the values of a CT are Hounsfield units.
        content: the part of a 2-D image inside a uniform frame; empty where nothing was cropped.
    """

    image: np.ndarray | MappedStack
    uniform: bool
    spacing: tuple[float, float] | None
    notes: tuple[str, ...]
    in_hu: bool = True
    content: tuple[slice, ...] = ()

    def array(self) -> np.ndarray:
        """Return the image as an array."""
        return self.image.volume() if isinstance(self.image, MappedStack) else self.image

    def remove(self) -> None:
        """Remove the file that the image is in, if any."""
        if isinstance(self.image, MappedStack):
            self.image.remove()


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """The mask of one case.

    Attributes:
        mask: (X, Y) or (X, Y, Z) uint8 label values on the grid of the source image.
        affine: (4, 4) RAS+ in mm of the source image.
        consistency: agreement of the masks of the transformed copies, 0 to 1; None where the inferer has one view.
        warning: set where the network ran in smaller windows for lack of memory.
    """

    mask: np.ndarray
    affine: np.ndarray
    consistency: float | None
    warning: str | None = None


def read_case(case: Case, bundle: Bundle, scratch: Path | None = None) -> dict[str, Any]:
    """Check the input and run the bundle's preprocessing.

    Args:
        case: the input.
        bundle: the loaded bundle.
        scratch: a folder for a file with the values of a CT series, which the source then refers to, and which
            ``SourceImage.remove`` removes; None for memory.

    Returns:
        The sample: "image" (C, X, Y[, Z]) as the network takes it, and "source", a ``SourceImage``.

    Raises:
        CaseError: when the input does not suit the task.
    """
    check_input(case, bundle.task)
    phase = case.phase_to_read
    paths = [str(path) if phase is None else with_phase(path, phase) for path in case.image]
    given: str | list[str] = paths[0] if len(paths) == 1 else paths
    sample: dict[str, Any] = {"image": given, "case_id": case.case_id, "image_path": str(case.image[0])}
    read, others = reading_steps(bundle.preprocessing)
    stored = read_as_stored(paths, read, others, scratch) if case.kind == "dicom_series" else None
    if stored is None:
        return preprocess(read(sample), bundle, name=case.input.name)
    image, stack = stored
    try:
        sample = preprocess({**sample, "image": image}, bundle, name=case.input.name)
    except BaseException:
        if stack is not None:
            stack.remove()
        raise
    if stack is not None:
        sample["source"] = _in_file(sample["source"], image, stack)
    return sample


def preprocess(sample: dict[str, Any], bundle: Bundle, *, name: str) -> dict[str, Any]:
    """Run the steps of the bundle's preprocessing that follow the reading.

    Args:
        sample: "image" as the reading steps return it, a MetaTensor (C, X, Y[, Z]).
        bundle: the loaded bundle.
        name: of the image, for messages.

    Returns:
        The sample: "image" (C, X, Y[, Z]) as the network takes it, and "source", a ``SourceImage``.

    Raises:
        CaseError: when the image has another number of channels than the network takes.
    """
    repair, other_steps = repairing_steps(reading_steps(bundle.preprocessing)[1])
    sample = repair(sample)
    source = _source_image(sample["image"], bundle.task.modality)
    sample = other_steps(sample)
    source = _with_notes(source, sample["image"].meta)
    channels, expected = int(sample["image"].shape[0]), bundle.task.channels
    if channels != expected:
        raise CaseError(f"{name}: {channels} channels found, {expected} expected by {bundle.name}")
    sample["source"] = source
    return sample


def _source_image(image: Any, modality: str) -> SourceImage:
    """Copy an image (C, X, Y[, Z]), as integers where possible, since it stays in memory while the network runs."""
    pixels = _without_metadata(torch.as_tensor(image))
    in_hu = modality == "CT" and bool(image.meta.get(HOUNSFIELD_KEY, True))
    dtype = torch.uint8 if image.ndim == 3 else torch.int16 if in_hu else torch.float32  # values can have any scale
    lowest, highest = _converted(torch.stack(lowest_and_highest(pixels))[None], dtype)[0].tolist()
    if image.ndim == 3:
        step = thinning_step(int(image.shape[1]), int(image.shape[2]))
        pixels = pixels[:, ::step, ::step]
    if not pixels.dtype == dtype == torch.int16:  # those become floating point before anything changes them
        pixels = _converted(pixels, dtype)
    array = pixels[0].numpy() if pixels.shape[0] == 1 else pixels.movedim(0, -1).numpy()
    spacing = image.meta.get("spacing")
    return SourceImage(
        image=array,
        uniform=lowest == highest,
        spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        notes=(),
        in_hu=in_hu,
    )


def _converted(pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Copy values (C, X, ...) to a data type, those beyond the range of integers clipped; in blocks, to save memory."""
    copied = torch.empty_like(pixels, dtype=dtype)
    for block, target in zip(pixels.split(BLOCK, dim=1), copied.split(BLOCK, dim=1), strict=True):
        if pixels.is_floating_point() and not dtype.is_floating_point:
            limits = torch.iinfo(dtype)
            block = block.nan_to_num().round_().clamp_(limits.min, limits.max)
        target.copy_(block)
    return copied


def _in_file(source: SourceImage, stored: torch.Tensor, stack: MappedStack) -> SourceImage:
    """Let a source refer to the file of its image, unless preprocessing has changed the values."""
    if source.array().__array_interface__["data"][0] == stored.data_ptr():
        return replace(source, image=stack)
    stack.remove()
    return source


def _with_notes(source: SourceImage, meta: Mapping[str, Any]) -> SourceImage:
    """Add what the preprocessing left in the metadata."""
    content = tuple(slice(int(first), int(end)) for first, end in meta.get(CONTENT_KEY, ()))
    return replace(source, notes=tuple(str(note) for note in meta.get("notes", ())), content=content)


def infer_sample(sample: dict[str, Any], bundle: Bundle) -> Segmentation:
    """Average the views of the image and map the mask back to the source's grid by the bundle's postprocessing.

    Where the device has too little memory, the network runs again in smaller windows.

    Raises:
        CaseError: when the postprocessing leaves the source's grid, when the mask has a value without a name, or when
            no window is small enough for the device.
    """
    image = sample["image"]
    shape = tuple(int(size) for size in image.meta["spatial_shape"])
    affine = np.asarray(image.meta.get("original_affine", np.eye(4)), dtype=np.float64)
    (probabilities, consistency), warning = with_smaller_windows(
        lambda inferer: mean_of_views(image[None].to(bundle.device), replace(bundle, inferer=inferer)),
        bundle.inferer,
        spatial_shape=tuple(image.shape[1:]),
        device=bundle.device,
    )
    sample["pred"] = MetaTensor(probabilities[0])
    del probabilities
    sample = bundle.postprocessing(sample)
    if consistency is not None:
        consistency *= float(sample.get("quality_factor", 1.0))  # what the bundle can tell from the mask itself
    result = sample["pred"]
    _check_values(result, bundle)
    mask = np.asarray(result[0].cpu()).astype(np.uint8, copy=False)
    if mask.shape == (*shape, 1):  # a 2-D image that the bundle read as a volume of one slice
        return Segmentation(mask=mask[..., 0], affine=np.eye(4), consistency=consistency, warning=warning)
    if mask.shape != shape or np.abs(np.asarray(result.affine) - affine).max() > AFFINE_TOLERANCE:
        raise CaseError(
            f"the mask of {mask.shape} left the source's grid of {shape}; check postprocessing of the bundle"
        )
    return Segmentation(mask=mask, affine=affine, consistency=consistency, warning=warning)


def _check_values(mask: torch.Tensor, bundle: Bundle) -> None:
    """Refuse what is not one mask of label values that the bundle names."""
    if mask.shape[0] != 1:
        raise CaseError(
            f"postprocessing of {bundle.name} gives {mask.shape[0]} masks, one of label values expected; end it with "
            "an argmax over the classes"
        )
    if (largest := int(in_memory_order(_without_metadata(mask)).max())) > len(bundle.task.labels):
        raise CaseError(
            f"value {largest} in the mask, {bundle.name} names {len(bundle.task.labels)} classes; name every class in "
            "channel_def of its metadata.json"
        )


@torch.no_grad()  # a per-image inferer turns gradients on for its own fit
def mean_of_views(image: torch.Tensor, bundle: Bundle) -> tuple[torch.Tensor, float | None]:
    """Average the class probabilities of the inferer's views of an image.

    Args:
        image: (1, C, spatial).
        bundle: its inferer yields the views; one without ``views`` runs once.

    Returns:
        Mean class probabilities (1, classes, spatial), and the agreement of the views' masks, 0 to 1; None where the
        inferer has no views.
    """
    image = _without_metadata(image)  # which every layer of the network would copy
    if not hasattr(bundle.inferer, "views"):
        probabilities = _without_metadata(bundle.inferer(image, bundle.network))
        check_channels(probabilities, bundle.task)
        return probabilities, None
    total: torch.Tensor | None = None
    masks: list[torch.Tensor] = []
    for view in bundle.inferer.views(image, bundle.network):
        view = _without_metadata(view)
        check_channels(view, bundle.task)
        masks.append(highest_class(view[0]))
        total = view.clone() if total is None else total.add_(view)
    if total is None:
        raise RuntimeError("the bundle's inferer gave no view")
    total /= len(masks)
    return total, view_agreement(masks, highest_class(total[0]), num_classes=total.shape[1])


def _without_metadata(tensor: torch.Tensor) -> torch.Tensor:
    # Averaging would carry the batch's metadata along; the postprocessing takes them from the image.
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
