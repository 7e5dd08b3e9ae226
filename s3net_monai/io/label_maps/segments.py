"""Read segmentations with named segments: DICOM SEG and 3D Slicer's ``.seg.nrrd``."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.dicom.open_file import open_dicom
from s3net_monai.io.file_bytes import open_file, size_of
from s3net_monai.io.limits import MAX_VOLUME_HEADER, check_voxels
from s3net_monai.io.volume_fields import damaged, nrrd_fields
from s3net_monai.io.volume_header import check_nrrd_position, check_stored, nrrd_storage
from s3net_monai.io.volume_voxels import read_voxels
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS, is_invertible
from s3net_monai.utils.scratch import scratch_folder

_TAGS = re.compile(rb"(?m)^Segment[0-9]+_Tags:=[^\r\n]*\r?\n?")


def is_dicom_seg(path: Path) -> bool:
    """Return whether a ``.dcm`` file is a segmentation, and not an image or report."""
    from pydicom import dcmread

    try:
        with open_dicom(path) as file:
            return str(dcmread(file, specific_tags=["Modality"], stop_before_pixels=True).get("Modality")) == "SEG"
    except Exception:  # not DICOM, or damaged: pydicom raises many types of exceptions
        return False


def read_dicom_seg(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read segment numbers and affine of a DICOM SEG.

    Frames that are missing between others are background; none are added before the first and after the last one.

    Returns:
        Segment numbers (X, Y, Z) and RAS+ affine (4, 4) in mm; (X, Y) and None for the SEG of a VL image.

    Raises:
        CaseError: if it cannot be opened, or if its deflated part is damaged.
        ValueError: when segments overlap or the planes do not form a regular volume.
    """
    import highdicom as hd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes malformed values, such as the patient's name
        with open_dicom(path) as file:
            seg = hd.seg.segread(file)
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
        CaseError: if it is damaged, if segments overlap, or for layers on the last axis, which Slicer does not write.
    """
    with open_file(path) as file:
        text = file.read(MAX_VOLUME_HEADER).decode("latin-1")
        fields, length = nrrd_fields(path, text)
        shape = _layers_shape(path, fields)
        check_nrrd_position(path, fields)
        storage = nrrd_storage(path, fields, length)
        check_stored(path, storage, shape, size_of(file))
        voxels, _ = read_voxels(path.name, file, storage, shape)
    segmentation = _described(text[:length].encode("latin-1"))
    segments, affine = segmentation["segments"], LPS_TO_RAS @ segmentation["ijkToLPS"]
    if not is_invertible(affine):
        raise CaseError(f"{path.name}: its directions are not invertible, so voxels have no position; save it again")
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


def _described(header: bytes) -> dict[str, Any]:
    """Return what a header says of the position and the segments, without voxels.

    Tags are left out: nothing here needs them, and slicerio does not take an empty ``TerminologyEntry``.
    """
    import slicerio

    with scratch_folder() as folder:  # slicerio reads files by name
        copy = folder / "header.seg.nrrd"
        copy.write_bytes(_TAGS.sub(b"", header.rstrip()) + b"\n\n")
        described: dict[str, Any] = slicerio.read_segmentation(str(copy), skip_voxels=True)
    return described


def _layers_shape(path: Path, fields: dict[str, str]) -> tuple[int, ...]:
    """Return the sizes (X, Y, Z), or (layers, X, Y, Z), within the limits.

    MedVol 0.0.22 writes layers last, in a space with time.

    Raises:
        CaseError: for other sizes, for layers that are not where Slicer keeps them, and for voxels in another file.
    """
    if "datafile" in fields:
        raise CaseError(f"{path.name}: its voxels are in another file; save it as one file from 3D Slicer")
    words = fields.get("sizes", "").split()
    if len(words) not in (3, 4) or not all(re.fullmatch("[0-9]{1,9}", word) and int(word) > 0 for word in words):
        raise damaged(path, "no usable sizes")
    if fields.get("dimension") != str(len(words)):
        raise damaged(path, f"{len(words)} sizes, but dimension {fields.get('dimension', 'none')[:9]}")
    shape = tuple(int(word) for word in words)
    check_voxels(path.name, shape)
    space, kinds = fields.get("space", "").lower(), fields.get("kinds", "").split()
    if len(words) == 4 and (kinds[:1] != ["list"] or space.endswith("-time")):
        raise CaseError(
            f"{path.name}: layers of overlapping segments on the last axis and the space {space!r} found, layers on "
            "the first axis and a space of three axes expected; save the segmentation from 3D Slicer"
        )
    return shape
