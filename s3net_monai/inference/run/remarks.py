"""What a reader of a mask should know: the warnings and notes of one case, for the report and for Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from s3net_monai.inference.report.mask_warnings import mask_warnings
from s3net_monai.inference.report.measures import measure_warnings, spacing_notes
from s3net_monai.inference.run.segmenter import Segmentation, SourceImage
from s3net_monai.io.image_to_lps import viewer_notes
from s3net_monai.tasks import Task

THICK_SLICE = 2.5  # times the voxel size along the last axis


class Remarks(NamedTuple):
    """The ``warnings``, which are reasons to review the mask, and the ``notes``, which are none; one line each."""

    warnings: list[str]
    notes: list[str]


def case_remarks(
    segmentation: Segmentation,
    source: SourceImage,
    measured: Mapping[str, Any],
    task: Task,
    *,
    vl_image: Path | None = None,
) -> Remarks:
    """Gather what the reader, the network, the mask and its measures say.

    Args:
        segmentation: the mask.
        source: the image as it was read.
        measured: the measures of the mask.
        task: of the bundle.
        vl_image: the file, where the image is a DICOM VL image.
    """
    warnings = [*source.notes, *([segmentation.warning] if segmentation.warning else [])]
    warnings += _image_warnings(source, segmentation.affine, task)
    warnings += mask_warnings(segmentation.mask, task, source.content)
    warnings += measure_warnings(measured)
    notes = spacing_notes(segmentation.affine) if segmentation.mask.ndim == 3 else []
    if vl_image is not None:
        notes += viewer_notes(vl_image, source.spacing)
    return Remarks(warnings, notes)


def _image_warnings(source: SourceImage, affine: np.ndarray, task: Task) -> list[str]:
    warnings = ["all voxels of the image have the same value"] if source.uniform else []
    if task.preview.planes == "slices" and len(source.image.shape) == 3:
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        thickest = int(sizes.argmax())
        if thickest != 2 and sizes[thickest] > THICK_SLICE * sizes[2]:
            warnings.append(
                f"slices seem to lie along axis {thickest + 1} (voxels of {sizes[thickest]:.3g} mm), this task expects "
                "them along the last one"
            )
    return warnings
