"""Reading segmentations that name their segments: DICOM SEG and 3D Slicer's ``.seg.nrrd``."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from s3net_monai.utils.geometry import LPS_TO_RAS


def is_dicom_seg(path: Path) -> bool:
    """Whether a ``.dcm`` file is a segmentation and not an image or report that lies beside it."""
    from pydicom import dcmread

    try:
        return str(dcmread(path, specific_tags=["Modality"], stop_before_pixels=True).get("Modality")) == "SEG"
    except Exception:  # not DICOM, or damaged: pydicom raises whatever the damage provokes
        return False


def read_dicom_seg(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Segment numbers (X, Y, Z) and RAS+ affine of a SEG, or (X, Y) and None of a photograph's.

    Frames that the file leaves out between others are background; before the first and after the last there are none.

    Raises:
        ValueError: when segments overlap or the planes are no regular volume.
    """
    import highdicom as hd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes what it finds malformed, such as the patient's name
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
    """Label values (X, Y, Z) and RAS+ affine of a ``.seg.nrrd``.

    Raises:
        ValueError: when its segments overlap, which Slicer stores in layers.
    """
    import slicerio

    segmentation = slicerio.read_segmentation(str(path))
    array = segmentation["voxels"]
    if array.ndim != 3:
        raise ValueError("its segments overlap; merge them into one layer")
    return array, LPS_TO_RAS @ segmentation["ijkToLPS"]
