"""The position that ITK, and so 3D Slicer and ITK-SNAP, gives to a 2-D image without one of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from s3net_monai.utils.errors import CaseError

# EXIF orientation (tag 274): stored (column, row) as a matrix times upright (column, row).
STORED_FROM_UPRIGHT = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, 1), (-1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, -1), (1, 0)),
}
ORIENTATION_TAG = 274
TIFF_SUFFIXES = (".tif", ".tiff")


def image_to_lps(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """Return the affine from the indices of an upright 2-D image to LPS in mm.

    The file's own spacing counts where ITK finds one (JPEG, TIFF, DICOM), else 1 mm per pixel. ITK does not apply the
    EXIF orientation, so the affine maps the upright image back to the stored one. The third axis completes a
    right-handed system.

    Args:
        path: the image file.
        size: (columns, rows) of the upright image.

    Returns:
        (4, 4).

    Raises:
        CaseError: if the image is a TIFF that is stored rotated or mirrored, which ITK reorients in its own way.
    """
    orientation = _orientation(path)
    if orientation != 1 and path.suffix.lower() in TIFF_SUFFIXES:
        raise CaseError(
            f"{path.name}: a TIFF stored rotated (orientation {orientation}) has an ambiguous position; ask for png"
        )
    matrix = np.array(STORED_FROM_UPRIGHT[orientation])
    last_index = np.abs(matrix) @ (np.array(size) - 1)
    affine = np.eye(4)
    affine[:2, :2] = matrix
    affine[:2, 3] = np.where(matrix.sum(axis=1) < 0, last_index, 0)
    affine = _stored_to_lps(path) @ affine
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    affine[:3, 2] = normal / np.linalg.norm(normal)
    return affine


def _orientation(path: Path) -> int:
    from PIL import Image

    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except OSError:  # not readable by Pillow, as DICOM is not
        return 1
    return orientation if orientation in STORED_FROM_UPRIGHT else 1


def _stored_to_lps(path: Path) -> np.ndarray:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings contain the whole path
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    affine = np.eye(4)
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # a format that neither ITK nor Slicer reads
        return affine
    count = reader.GetDimension()
    directions = np.array(reader.GetDirection()).reshape(count, count)
    affine[:count, :count] = directions * reader.GetSpacing()
    affine[:count, 3] = reader.GetOrigin()
    return affine
