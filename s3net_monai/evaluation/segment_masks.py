"""Read segmentations with named segments: DICOM SEG and 3D Slicer's ``.seg.nrrd``."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from s3net_monai.utils.geometry import LPS_TO_RAS


def is_dicom_seg(path: Path) -> bool:
    """Return whether a ``.dcm`` file is a segmentation, and not an image or report."""
    from pydicom import dcmread

    try:
        return str(dcmread(path, specific_tags=["Modality"], stop_before_pixels=True).get("Modality")) == "SEG"
    except Exception:  # not DICOM, or damaged: pydicom raises many types of exceptions
        return False


def read_dicom_seg(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read segment numbers and affine of a DICOM SEG.

    Frames that are missing between others are background; none are added before the first and after the last one.

    Returns:
        Segment numbers (X, Y, Z) and RAS+ affine (4, 4) in mm; (X, Y) and None for the SEG of a VL image.

    Raises:
        ValueError: when segments overlap or the planes do not form a regular volume.
    """
    import highdicom as hd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes malformed values, such as the patient's name
        seg = hd.seg.segread(path)
        if "FrameOfReferenceUID" not in seg:
            frames = seg.get_pixels_by_source_instance(
                [seg.SourceImageSequence[0].ReferencedSOPInstanceUID],
                combine_segments=True,
                ignore_spatial_locations=True,
            )
            return np.asarray(frames[0]).T, None
        volume = seg.get_volume(combine_segments=True, allow_missing_positions=True)
    return np.asarray(volume.array), LPS_TO_RAS @ volume.affine


def read_seg_nrrd(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read label values (X, Y, Z) and RAS+ affine (4, 4) in mm of a ``.seg.nrrd``.

    Raises:
        ValueError: when its segments overlap, which 3D Slicer stores in layers.
    """
    import slicerio

    segmentation = slicerio.read_segmentation(str(path))
    array = segmentation["voxels"]
    if array.ndim != 3:
        raise ValueError("its segments overlap; merge them into one layer")
    return array, LPS_TO_RAS @ segmentation["ijkToLPS"]
