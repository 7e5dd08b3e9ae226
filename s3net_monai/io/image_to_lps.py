"""The position that ITK, and so 3D Slicer and ITK-SNAP, gives to a 2-D image without one of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from s3net_monai.io.dicom.files import looks_like_dicom, read_header
from s3net_monai.io.dicom.vl_image import vl_spacing
from s3net_monai.io.exif import stated_orientation
from s3net_monai.io.file_bytes import open_file
from s3net_monai.io.itk_affine import VIEWERS, itk_to_ras
from s3net_monai.io.open_image_2d import IMAGE_2D_FORMATS
from s3net_monai.io.png_chunks import without_texts
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS

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

    The file's own spacing counts where ITK finds one (JPEG, TIFF, DICOM), and PixelSpacing of DICOM that ITK cannot
    open; else a pixel is 1 mm. ITK does not apply the EXIF orientation, so the affine maps the upright image back to
    the stored one. The third axis completes a right-handed system.

    Args:
        path: the image file.
        size: (columns, rows) of the upright image.

    Returns:
        (4, 4).

    Raises:
        CaseError: if the image is a TIFF that is stored rotated or mirrored, which ITK reorients in its own way.
    """
    orientation = exif_orientation(path)
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


def exif_orientation(path: Path) -> int:
    """Return the EXIF orientation of a file; 1, as stored, where there is none."""
    from PIL import Image

    try:
        with open_file(path) as file, Image.open(without_texts(file), formats=IMAGE_2D_FORMATS) as image:
            orientation = stated_orientation(image)
    except OSError:  # not readable by Pillow, as DICOM is not
        return 1
    return orientation if orientation in STORED_FROM_UPRIGHT else 1


def viewer_notes(path: Path, spacing: tuple[float, float] | None) -> list[str]:
    """Return a note where viewers built on ITK show a DICOM VL image otherwise than it states, or not at all.

    Args:
        path: the image file.
        spacing: (row, column) spacing in mm that it states, or None.
    """
    seen = _itk_to_lps(path)
    if seen is None:
        return [f"{VIEWERS} cannot open the image itself, since they do not know its kind of DICOM object"]
    if spacing is None or np.allclose(np.linalg.norm(seen[:3, :2], axis=0), spacing[::-1], rtol=1e-3):
        return []
    return [f"{VIEWERS} ignore its PixelSpacing: masks lie where they show the image, measures are in mm by it"]


def _stored_to_lps(path: Path) -> np.ndarray:
    affine = _itk_to_lps(path)
    if affine is not None:
        return affine
    # a format that neither ITK nor Slicer reads, among them some kinds of DICOM, which may state a spacing
    spacing = vl_spacing(read_header(path)) if looks_like_dicom(path) else None
    return np.eye(4) if spacing is None else np.diag([spacing[1], spacing[0], 1.0, 1.0])


def _itk_to_lps(path: Path) -> np.ndarray | None:
    """Return where ITK puts the stored pixels, (4, 4) in mm, or None if it does not read the file."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # its warnings contain the whole path
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return LPS_TO_RAS @ itk_to_ras(reader)
