"""Where ITK, and so 3D Slicer and ITK-SNAP, places a picture that has no place of its own."""

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


def picture_to_lps(path: Path, size: tuple[int, ...]) -> np.ndarray:
    """Affine (4, 4), in mm, from the indices of a picture shown upright, of ``size`` (columns, rows), to LPS.

    The file's own spacing counts where ITK finds one (JPEG, TIFF, DICOM), else 1 mm a pixel. ITK does not turn a
    picture as its EXIF orientation asks, so the affine takes the upright picture back to the stored one. The third axis
    completes a right-handed system.

    Raises:
        CaseError: for a TIFF stored turned, which ITK turns in ways of its own.
    """
    orientation = _orientation(path)
    if orientation != 1 and path.suffix.lower() in TIFF_SUFFIXES:
        raise CaseError(f"{path.name}: a TIFF stored turned (orientation {orientation}) has no sure place; ask for png")
    matrix = np.array(STORED_FROM_UPRIGHT[orientation])
    last = np.abs(matrix) @ (np.array(size) - 1)
    affine = np.eye(4)
    affine[:2, :2] = matrix
    affine[:2, 3] = np.where(matrix.sum(axis=1) < 0, last, 0)
    affine = _stored_to_lps(path) @ affine
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    affine[:3, 2] = normal / np.linalg.norm(normal)
    return affine


def _orientation(path: Path) -> int:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            orientation = picture.getexif().get(ORIENTATION_TAG, 1)
    except OSError:  # no picture of Pillow's, such as DICOM
        return 1
    return orientation if orientation in STORED_FROM_UPRIGHT else 1


def _stored_to_lps(path: Path) -> np.ndarray:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings name the whole path
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    affine = np.eye(4)
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # a format that ITK does not read, and Slicer neither
        return affine
    count = reader.GetDimension()
    directions = np.array(reader.GetDirection()).reshape(count, count)
    affine[:count, :count] = directions * reader.GetSpacing()
    affine[:count, 3] = reader.GetOrigin()
    return affine
