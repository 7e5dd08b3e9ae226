"""Read a label or mask from a file of any format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s3net_monai.file_formats import (
    DICOM_SUFFIXES,
    IMAGE_2D_SUFFIXES,
    META_SUFFIXES,
    NIFTI_SUFFIXES,
    NRRD_SUFFIXES,
    SEGMENTATION_SUFFIX,
)
from s3net_monai.io.dicom.geometry import Irregularity
from s3net_monai.io.label_maps.image_2d import read_image_2d
from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.io.label_maps.segments import read_dicom_seg, read_seg_nrrd
from s3net_monai.io.label_maps.values import to_label_values
from s3net_monai.io.nifti_file import open_nifti, read_voxels
from s3net_monai.io.nifti_header import check_label_file
from s3net_monai.io.shear import check_shear, resample_sheared
from s3net_monai.io.volume_reader import load_volume
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import is_invertible
from s3net_monai.utils.reasons import in_words

SEGMENT_SUFFIXES = (SEGMENTATION_SUFFIX, ".labelmap.dcm", *DICOM_SUFFIXES)  # named segments, cropped to the foreground
LABEL_SUFFIXES = (*NIFTI_SUFFIXES, *IMAGE_2D_SUFFIXES, *SEGMENT_SUFFIXES, *NRRD_SUFFIXES, *META_SUFFIXES)


def read_label(path: Path, *, binary: bool | None = None, allow: Sequence[str] = ()) -> LabelMap:
    """Read the label values of a file with one of ``LABEL_SUFFIXES``, in the file's own axis order.

    Args:
        path: a 2-D image, NIfTI, NRRD, MetaImage, ``.seg.nrrd`` or DICOM SEG.
        binary: whether the label has only one class, whatever value stands for it; False for several classes, and None
            where nobody knows.
        allow: values of ``Irregularity`` to repair as in the image: "tilt" resamples sheared axes, to the nearest
            value.

    Raises:
        CaseError: if the file cannot be read or is not a label.
    """
    try:
        return _read(path, binary, allow)
    except CaseError as error:
        if path.name in str(error):
            raise
        raise CaseError(f"{path.name}: {error}") from error
    except Exception as error:  # readers raise many types of exceptions for damaged files
        reason = in_words(error, "not readable as a mask", "save the label again", path)
        raise CaseError(f"{path.name}: {reason}") from error


def _read(path: Path, binary: bool | None, allow: Sequence[str]) -> LabelMap:
    name = path.name.lower()
    lossy = cropped = False
    placed = True
    affine: np.ndarray | None = None
    if name.endswith(NIFTI_SUFFIXES):
        array, affine, placed = _read_nifti(path, allow)
    elif name.endswith(SEGMENTATION_SUFFIX):
        (array, affine), cropped = read_seg_nrrd(path), True
    elif name.endswith((*NRRD_SUFFIXES, *META_SUFFIXES)):
        array, affine, _ = load_volume(path, allow, labels=True)
    elif name.endswith(IMAGE_2D_SUFFIXES):
        array, lossy = read_image_2d(path)
    else:
        array, affine = read_dicom_seg(path)
        cropped = affine is not None
    values = to_label_values(array, path.name, binary=binary, lossy=lossy)
    return LabelMap(array=values, affine=affine, name=path.name, cropped=cropped, placed=placed)


def _read_nifti(path: Path, allow: Sequence[str]) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Values (X, Y[, Z]), the RAS+ affine (4, 4) in mm of a volume, and whether one of its codes states a position."""
    with open_nifti(path) as file:
        header = check_label_file(file)
        array, _ = read_voxels(file, header.shape)
    affine = header.affine
    if len(header.shape) == 2:
        return array, None, True
    if Irregularity.TILT in allow and is_invertible(affine) and check_shear(path.name, affine, allow):
        array, affine = resample_sheared(path.name, array, affine, labels=True)  # as its image
    return array, affine, any(int(header.raw[code]) for code in ("qform_code", "sform_code"))
