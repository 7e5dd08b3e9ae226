"""Output formats by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from s3net_monai.file_formats import MASK_ENDING, SEGMENTATION_SUFFIX
from s3net_monai.io.dicom.seg import write_dicom_labelmap, write_dicom_seg
from s3net_monai.io.dicom.seg_warnings import seg_warnings
from s3net_monai.io.mask import Mask
from s3net_monai.io.nifti import write_nifti
from s3net_monai.io.png import write_png
from s3net_monai.io.seg_nrrd import write_seg_nrrd
from s3net_monai.utils.atomic import atomic_path


@dataclass(frozen=True)
class Format:
    """A file format for masks.

    Attributes:
        extension: of its files.
        write: the function that writes a file; it raises ``CaseError`` where the format cannot hold a mask.
        title: the format's usual name.
        holds: what a file holds besides the voxels, and for which inputs.
        warnings: returns what a user must know about a written file of a mask, a line for each.
    """

    extension: str
    write: Callable[[Mask, Path], None]
    title: str
    holds: str
    warnings: Callable[[Mask, Path], list[str]] = lambda mask, path: []


FORMATS: dict[str, Format] = {
    "nifti": Format(".nii.gz", write_nifti, "NIfTI", "label values on the source's grid, with labels.csv beside them"),
    "png": Format(
        ".png", write_png, "PNG", "one 2-D image or slice, foreground 255, or label values of several classes"
    ),
    "dicomseg": Format(
        ".dcm",
        write_dicom_seg,
        "DICOM SEG, binary",
        "one bit per voxel, SNOMED codes, colors, the source's study and slices; for DICOM inputs only",
        seg_warnings,
    ),
    "dicomseg-labelmap": Format(
        ".labelmap.dcm",
        write_dicom_labelmap,
        "DICOM SEG, label map",
        "the same with label values (DICOM 2024), which some older readers do not support",
        seg_warnings,
    ),
    "segnrrd": Format(
        SEGMENTATION_SUFFIX, write_seg_nrrd, "3D Slicer segmentation", "label values, names, colors and SNOMED codes"
    ),
}


def output_path(folder: Path, case_id: str, format_name: str) -> Path:
    """Return the path of a case's mask: ``<case>_seg.<ext>``."""
    return folder / f"{case_id}{MASK_ENDING}{FORMATS[format_name].extension}"


def write_mask(mask: Mask, folder: Path, *, case_id: str, format_name: str) -> Path:
    """Write one mask in one format, completely or not at all, and return its path.

    Raises:
        CaseError: if the format cannot hold this mask.
    """
    path = output_path(folder, case_id, format_name)
    with atomic_path(path) as temporary:
        FORMATS[format_name].write(mask, temporary)
    return path
