"""Limits on input, checked against headers before any memory is allocated for the data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from s3net_monai.utils.errors import CaseError

MAX_VOXELS = 2**31  # a whole-body CT of 1024x1024x1500 has 1.6e9
MAX_PIXELS = 150_000_000  # the largest camera sensors give 100 to 150 megapixels, for which 2 GB of memory suffice
MAX_FILE_BYTES = 2**35  # of one image or label file; the most voxels, of 8 bytes each, take 2**34
MAX_IMAGE_2D_BYTES = 2**31  # of a 2-D image file; the most pixels, of 4 channels of 16 bits, take 1.2e9
MAX_EXPANSION = 1032  # the highest ratio of deflate, on constant data
MAX_DEFLATED_BYTES = 2**31  # of one DICOM data set; pydicom expands it as a whole, in memory
MAX_VOLUME_HEADER = 2**20  # bytes of NRRD or MetaImage; keys take a few kilobytes
MAX_NIFTI_OFFSET = 2**26  # bytes before the voxels; extensions with whole DICOM headers take a few megabytes

MAX_CT_SIDE = 8192  # pixels; the largest CT matrices have 2048
MAX_POSITION_MM = 1e5  # from the origin of the frame of reference
MAX_EXTENT_MM = 3000.0  # along any axis; a scan from head to feet has 2000
MIN_EXTENT_MM = 50.0  # along the longest axis; a crop around a heart has 80
MAX_SHIFT = 0.25  # voxels between the corners of a label, or channel, and its image; rounding stays below 0.1
MAX_SEQUENCE_DEPTH = 16  # of DICOM sequences within sequences; functional groups with their codes take 4

MAX_ARCHIVE_MEMBERS = 200_000  # files; a study of many series has some ten thousand
MAX_ARCHIVE_BYTES = 64 * 2**30  # expanded; a whole-body CT with all its reconstructions has some ten gigabytes
MAX_ARCHIVE_RATIO = 100  # expanded to packed size; images reach 10, empty ones more
MAX_ARCHIVE_DEPTH = 64  # folders in folders; longer paths exceed what systems and libraries take
MAX_UNPACKED_MEMBERS = 1_000_000  # of all archives of a run
MAX_UNPACKED_BYTES = 256 * 2**30  # of all archives of a run
MIN_RATIO_BYTES = 2**30  # beyond MAX_ARCHIVE_RATIO, of all archives of a run; so little is harmless
MAX_DISK_RESERVE = 2**30  # bytes that remain free on the disk of the temporary folder


def check_voxels(name: str, shape: Sequence[int]) -> None:
    """Refuse a volume beyond the limit.

    Args:
        name: of the file, for the message.
        shape: voxels along every axis.

    Raises:
        CaseError: if it has more than ``MAX_VOXELS``.
    """
    if math.prod(int(size) for size in shape) > MAX_VOXELS:
        sizes = "x".join(str(int(size)) for size in shape)
        raise CaseError(f"{name}: {sizes} voxels, beyond the limit of {MAX_VOXELS}; crop or resample the volume")


def check_extent(name: str, shape: Sequence[int], affine: np.ndarray) -> None:
    """Refuse a volume that cannot be of a patient: its voxel size is in another unit, or was lost.

    Pixels of exactly 1 mm say that the size is not known, so they may be few; and one slice of them passes at any size,
    since a 2-D image in a volume format states that.

    Args:
        name: of the file, for the message.
        shape: (X, Y, Z).
        affine: (4, 4) in mm.

    Raises:
        CaseError: if the longest axis is shorter than ``MIN_EXTENT_MM``, or longer than ``MAX_EXTENT_MM``.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    longest = float((spacing * shape).max())
    unknown_size = np.array_equal(spacing[:2], [1, 1])
    if (unknown_size or longest >= MIN_EXTENT_MM) and (longest <= MAX_EXTENT_MM or (unknown_size and shape[2] == 1)):
        return
    sizes = "x".join(f"{size:.4g}" for size in spacing)
    raise CaseError(
        f"{name}: spans {longest:.4g} mm with voxels of {sizes} mm, {MIN_EXTENT_MM:.0f} to {MAX_EXTENT_MM:.0f} mm "
        "expected; check the unit of its voxel size, and save it in mm"
    )


def check_position(name: str, affine: np.ndarray) -> None:
    """Refuse a volume that lies where no patient is.

    Args:
        name: of the file, for the message.
        affine: (4, 4) in mm.

    Raises:
        CaseError: if its first voxel is further than ``MAX_POSITION_MM`` from the origin.
    """
    if not np.abs(affine[:3, 3]).max() <= MAX_POSITION_MM:
        raise CaseError(
            f"{name}: its first voxel is more than {MAX_POSITION_MM / 1000:.0f} m off the origin; correct the header, "
            "or save it again"
        )


def check_pixels(name: str, width: int, height: int) -> None:
    """Refuse a 2-D image beyond the limit.

    Args:
        name: of the file, for the message.
        width: in pixels.
        height: in pixels.

    Raises:
        CaseError: if it has more than ``MAX_PIXELS``.
    """
    if width * height > MAX_PIXELS:
        raise CaseError(f"{name}: {width}x{height} pixels, beyond the limit of {MAX_PIXELS}; crop or shrink it")


def check_capacity(name: str, *, needed: int, stored: int, compressed: bool) -> None:
    """Refuse a file that is too short for the voxels that its header declares.

    Args:
        name: of the file, for the message.
        needed: bytes of voxels according to the header.
        stored: bytes of the file.
        compressed: whether they may be deflated.

    Raises:
        CaseError: if the file is too short.
    """
    if needed > stored * (MAX_EXPANSION if compressed else 1):
        raise CaseError(f"{name}: cut off, {stored} bytes cannot hold the {needed} of its voxels; copy the file again")
