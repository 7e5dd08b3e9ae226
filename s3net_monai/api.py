"""The Python API: ``s3net_monai.segment``, ``load_bundle`` and ``evaluate``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3net_monai.evaluation import evaluate
from s3net_monai.inference import Bundle, bundle_root, find_cases, parse_device
from s3net_monai.inference import load_bundle as _load_bundle
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.report.measures import measures
from s3net_monai.inference.report.review import LOW_CONSISTENCY
from s3net_monai.inference.run.remarks import case_remarks
from s3net_monai.inference.run.segmenter import Segmentation, SourceImage, infer_sample, preprocess, read_case
from s3net_monai.inference.run.validate_input import as_case_error
from s3net_monai.io.dicom.phases import parse_phase
from s3net_monai.io.in_memory import channel_first, mask_like, to_array_image
from s3net_monai.utils.errors import CaseError, UsageError
from s3net_monai.utils.scratch import scratch_folder

__all__ = ["Result", "evaluate", "load_bundle", "segment"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The mask of one image, and what is known about it.

    Attributes:
        mask: label values on the image's own grid, 0 is background; of the image's own kind: a NumPy array for paths
            and NumPy arrays, else a MetaTensor, tensor, SimpleITK or nibabel image.
        affine: (4, 4) RAS+ in mm from indices of the mask; the identity for a 2-D image without geometry.
        labels: label value by class name, background left out.
        consistency: agreement, 0 to 1, of the mask with the masks of transformed copies of the image; None
            where the bundle does not measure it.
        measures: as in ``report.json``, for example "volume_ml".
        warnings: what a reader of the mask should know, one line each.
    """

    mask: Any
    affine: np.ndarray
    labels: dict[str, int]
    consistency: float | None
    measures: dict[str, Any]
    warnings: tuple[str, ...]


def load_bundle(
    task: str,
    *,
    bundle: str | Path | None = None,
    checkpoint: str | Path | None = None,
    configs: str | Path | Sequence[str | Path] = (),
    device: str | torch.device = "auto",
    mode: str = "amortized",
    allow: str | Sequence[str] = (),
) -> Bundle:
    """Load a task's bundle once, for many calls of ``segment``.

    Args:
        task: "lung", "skin" or "cardiac".
        bundle: folder of a bundle that you trust; None for the task's own.
        checkpoint: weights to use in place of the bundle's released ones, such as the ``model.pt`` of a training.
        configs: overlays of the bundle's ``inference.json`` that these weights need.
        device: "auto", "cpu", "cuda" or "cuda:N", or a ``torch.device``.
        mode: "amortized" for the trained network, "per-image" for a fit per image.
        allow: irregular DICOM series to resample rather than refuse, "missing-slices" and "tilt".

    Raises:
        UsageError: when the task, the folder, the device or the weights cannot be used.
    """
    root = bundle_root(task, None if bundle is None else Path(bundle))
    return _load_bundle(
        task,
        root,
        parse_device(str(device)),
        mode=mode,
        allow=(allow,) if isinstance(allow, str) else allow,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        configs=[Path(path) for path in ((configs,) if isinstance(configs, str | Path) else configs)],
    )


def segment(
    images: Any,
    task: str | None = None,
    *,
    bundle: Bundle | str | Path | None = None,
    checkpoint: str | Path | None = None,
    device: str | torch.device = "auto",
    affine: np.ndarray | None = None,
    spacing: Sequence[float] | None = None,
) -> Any:
    """Segment one image, or a list of images, and return a ``Result``, or a list of them.

    An image is a path (any file that ``s3net segment`` reads, or the folder of one DICOM series; with ``#phase=3`` at
    its end, the third phase of a cine series), a NumPy array or tensor indexed (X, Y, Z), (X, Y) or (X, Y, 3), a
    MetaTensor with or without a leading channel, a SimpleITK image or a nibabel image. CT is in HU; colors are 0 to
    255, or 0 to 1 in floating point.

    Args:
        images: one image, or a list or tuple of images of any of these kinds.
        task: "lung", "skin" or "cardiac"; it may be left out when ``bundle`` is a loaded one.
        bundle: a loaded bundle, or the folder of one that you trust; None for the task's own.
        checkpoint: weights to use in place of the bundle's released ones.
        device: "auto", "cpu", "cuda" or "cuda:N".
        affine: (4, 4) RAS+ in mm of arrays that carry no geometry of their own.
        spacing: mm per axis of such arrays, in place of ``affine``; their axes then point right, anterior and superior,
            those of a 2-D slice left and posterior.

    Raises:
        UsageError: when task, bundle, device or weights cannot be used.
        CaseError: when an image cannot be segmented, with the reason in one line; in a list with the image's index.

    Example:
        >>> import numpy as np
        >>> image = np.full((64, 48, 3), 200, dtype=np.uint8)
        >>> image[20:44, 14:34] = 90
        >>> result = segment(image, task="skin", device="cpu")
        >>> result.mask.shape, result.labels
        ((64, 48), {'lesion': 1})
    """
    loaded = _loaded(task, bundle, checkpoint, device)
    if isinstance(images, list | tuple):
        results = []
        for index, image in enumerate(images):
            try:
                results.append(_segment_one(image, loaded, affine, spacing))
            except CaseError as error:
                raise CaseError(f"image {index} of the list: {error}") from error
        return results
    return _segment_one(images, loaded, affine, spacing)


def _loaded(
    task: str | None,
    bundle: Bundle | str | Path | None,
    checkpoint: str | Path | None,
    device: str | torch.device,
) -> Bundle:
    if isinstance(bundle, Bundle):
        if checkpoint is not None:
            raise UsageError("checkpoint beside a loaded bundle; give checkpoint to load_bundle")
        if task is not None and task != bundle.task.name:
            raise UsageError(f"task {task!r} beside a bundle of {bundle.task.name!r}; leave task out")
        return bundle
    if task is None:
        raise UsageError("task is missing; give task, or a loaded bundle")
    return load_bundle(task, bundle=bundle, checkpoint=checkpoint, device=device)


def _segment_one(image: Any, bundle: Bundle, affine: np.ndarray | None, spacing: Sequence[float] | None) -> Result:
    if isinstance(image, str | Path):
        if affine is not None or spacing is not None:
            raise UsageError(f"{image}: affine and spacing are for arrays; a file states its own")
        return _segment_path(Path(image), bundle)
    array_image = to_array_image(image, channels=bundle.task.channels, affine=affine, spacing=spacing)
    name = Path(array_image.name)
    with as_case_error(Case(case_id=array_image.name, input=name, image=(name,), kind="image_2d")):
        sample = preprocess({"image": channel_first(array_image)}, bundle, name=array_image.name)
        source = sample.pop("source")
        segmentation = infer_sample(sample, bundle)
    if array_image.affine is not None:
        segmentation = replace(segmentation, affine=array_image.affine)
    return _result(mask_like(image, segmentation.mask, array_image), segmentation, source, bundle)


def _segment_path(named: Path, bundle: Bundle) -> Result:
    # Path.exists raises an error for a path that is too long.
    path, phase = (named, None) if os.path.exists(named) else parse_phase(str(named))
    with scratch_folder() as scratch:
        try:
            cases = find_cases(
                [path], None, modality=bundle.task.modality, unpack_to=scratch, keep_identifiers=True
            ).cases
        except UsageError as error:
            raise CaseError(str(error)) from error
        has_phases = any(case.phase for case in cases)
        if phase is not None and not has_phases:
            raise CaseError(f"{named}: no series of several phases found; leave '#phase={phase}' out")
        if phase is not None:
            cases = tuple(case for case in cases if case.phase == phase)
        if len(cases) != 1:
            found, remedy = ("phases", f"'{path}#phase=1'") if has_phases else ("images", "one path per image")
            raise CaseError(f"{named}: {len(cases)} {found} found, one expected; give {remedy}, or use s3net segment")
        (case,) = cases
        with as_case_error(case):
            sample = read_case(case, bundle)
            source = sample.pop("source")
            segmentation = infer_sample(sample, bundle)
        vl_image = case.image[0] if case.kind == "dicom_vl_image" else None
        return _result(segmentation.mask, segmentation, source, bundle, vl_image=vl_image)


def _result(
    mask: Any, segmentation: Segmentation, source: SourceImage, bundle: Bundle, *, vl_image: Path | None = None
) -> Result:
    hounsfield = source.array() if bundle.task.modality == "CT" else None
    values = measures(
        segmentation.mask,
        segmentation.affine,
        bundle.task,
        image=hounsfield,
        in_hu=source.in_hu,
        spacing=source.spacing,
    )
    warnings, notes = case_remarks(segmentation, source, values, bundle.task, vl_image=vl_image)
    if segmentation.consistency is not None and segmentation.consistency < LOW_CONSISTENCY:
        warnings.append(f"consistency {segmentation.consistency:.2f} is below {LOW_CONSISTENCY}: review the mask")
    return Result(
        mask=mask,
        affine=segmentation.affine,
        labels={label.name: label.value for label in bundle.task.labels},
        consistency=segmentation.consistency,
        measures=values,
        warnings=(*warnings, *notes),
    )
