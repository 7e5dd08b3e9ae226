"""Read segmentations with named segments: DICOM SEG and 3D Slicer's ``.seg.nrrd``."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np

from s3net_monai.io.limits import check_capacity, check_voxels
from s3net_monai.utils.errors import CaseError
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

    Layers that do not overlap become one label map. A segment without ``Layer`` and ``LabelValue``, as 3D Slicer wrote
    it before 4.11, is the layer of its own number with the value 1, as Slicer reads it.

    Raises:
        CaseError: if segments overlap, or for layers on the last axis, which Slicer does not write.
    """
    import slicerio

    _check_layout(path)
    segmentation = slicerio.read_segmentation(str(path))
    voxels, segments = segmentation["voxels"], segmentation["segments"]
    affine = LPS_TO_RAS @ segmentation["ijkToLPS"]
    if voxels.ndim == 3:
        return voxels, affine
    values = [segment.get("labelValue", 1) for segment in segments]
    layers = [segment.get("layer", index) for index, segment in enumerate(segments)]
    # Values are unique within a layer; where two layers share some, segments are numbered.
    numbers = values if len(set(values)) == len(values) else range(1, len(values) + 1)
    array = np.zeros(voxels.shape[1:], np.int32)
    owners: dict[int, str] = {}
    for segment, layer, value, number in zip(segments, layers, values, numbers, strict=True):
        if layer >= len(voxels):
            raise CaseError(f"{path.name}: {len(voxels)} layers found, layer {layer} expected; save it from 3D Slicer")
        inside = voxels[layer] == value
        name = str(segment.get("name", segment["id"]))
        if (taken := np.unique(array[inside])[-1:]).any():
            raise CaseError(
                f"{path.name}: its segments {owners[int(taken[0])]!r} and {name!r} overlap, one label per voxel "
                "expected; remove the overlap in 3D Slicer"
            )
        array[inside] = number
        owners[number] = name
    return array, affine


def _check_layout(path: Path) -> None:
    """Refuse what its header makes too large, and layers that are not where Slicer keeps them.

    MedVol 0.0.22 writes them last, in a space with time.
    """
    import nrrd

    header = nrrd.read_header(str(path))
    if {"data file", "datafile"} & header.keys():
        raise CaseError(f"{path.name}: its voxels are in another file; save it as one file from 3D Slicer")
    sizes, encoding = [int(size) for size in header.get("sizes", ())], header.get("encoding")
    check_voxels(path.name, sizes)
    if encoding in ("raw", "gzip", "gz"):  # each voxel takes a byte or more
        stored = path.stat().st_size
        check_capacity(path.name, needed=math.prod(sizes), stored=stored, compressed=encoding != "raw")
    space, kinds = str(header.get("space", "")), list(header.get("kinds", ()))
    if header.get("dimension") == 4 and (kinds[:1] != ["list"] or space.endswith("-time")):
        raise CaseError(
            f"{path.name}: layers of overlapping segments on the last axis and the space {space!r} found, layers on "
            "the first axis and a space of three axes expected; save the segmentation from 3D Slicer"
        )
