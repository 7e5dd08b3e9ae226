"""MONAI image reader for visible-light (VL) images such as dermoscopy, for a bundle's ``LoadImaged``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, ensure_tuple

from s3net_monai.io.dicom.codec import check_pixel_data, codec_family, decode_frames
from s3net_monai.io.dicom.files import looks_like_dicom, read_header, read_image
from s3net_monai.io.dicom.header import SliceHeader, quote_term, read_integer, read_pixel_spacing, uid_name
from s3net_monai.io.dicom.trailing_zeros import zeros_note
from s3net_monai.io.dicom.uids import SECONDARY_CAPTURE, VISIBLE_LIGHT
from s3net_monai.io.image_2d import gray_to_eight_bit
from s3net_monai.io.limits import check_pixels
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.reasons import in_words

if TYPE_CHECKING:
    from pydicom import Dataset

COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
JPEG_2000_COLOR = ("YBR_ICT", "YBR_RCT")
GRAY = ("MONOCHROME1", "MONOCHROME2")


class DicomVLImageReader(ImageReader):
    """Image reader for one VL image: (columns, rows, 3) RGB of 8 bits, as ``PILReader`` with ``upright_rgb`` gives it.

    It takes visible-light and secondary capture objects (PS3.3 sections A.32 and A.8) with one frame. ``read`` raises
    for inputs of other formats only, so that ``LoadImage`` goes on to the other readers; a bad VL image is refused in
    ``get_data``, whose error ends the load.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether the input is one DICOM file."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return len(paths) == 1 and looks_like_dicom(paths[0])

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Path:
        """Return the path to read.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not a single DICOM file: {data}")
        return Path(ensure_tuple(data)[0])

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the image (columns, rows, 3) uint8 and its MONAI metadata.

        "spacing" is (row, column) in mm, as in PixelSpacing, where the file states one. Spacings of a detector or of
        scanned paper are not sizes on the skin and are ignored.

        Raises:
            CaseError: with the reason, if the file is not a VL image or cannot be decoded.
        """
        notes: list[str] = []
        image, spacing = load_vl_image(img, notes)
        metadata: dict[str, Any] = {
            MetaKeys.SPATIAL_SHAPE: np.asarray(image.shape[:2]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: -1,
        }
        if spacing is not None:  # MONAI cannot collate None
            metadata["spacing"] = list(spacing)
        if notes:
            metadata["notes"] = notes
        return image, metadata


def load_vl_image(path: Path, notes: list[str] | None = None) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Load one VL image as (columns, rows, 3) RGB uint8, and its (row, column) spacing in mm or None.

    Gray is repeated, a palette resolved, 16-bit gray scaled by its range, as ``upright_rgb`` does.

    Args:
        path: the file.
        notes: receives a line where zeros after the pixel data were left out.

    Raises:
        CaseError: with the reason, if the file is not a VL image or cannot be decoded.
    """
    _check_kind(read_header(path))  # before its pixels are read
    image = read_image(path)
    _check_kind(image)  # the file may have been exchanged
    photometric = _check_values(image)
    zeros = check_pixel_data(image)
    frame = next(decode_frames(image))
    if photometric in COLOR:
        rgb = _to_eight_bit_color(frame, read_integer(image, "BitsStored"))
    elif photometric in GRAY:
        gray = _to_eight_bit_gray(frame)
        rgb = np.stack([255 - gray if photometric == "MONOCHROME1" else gray] * 3, axis=-1)
    else:
        rgb = _resolve_palette(frame, image.dataset, image.name)
    if zeros and notes is not None:
        notes.append(zeros_note(zeros, [image.name]))
    return rgb.transpose(1, 0, 2), vl_spacing(image)


def vl_spacing(header: SliceHeader) -> tuple[float, float] | None:
    """Return the (row, column) spacing in mm that a VL image states, or None.

    Raises:
        CaseError: if it is not two numbers above 0.
    """
    if not header.get("PixelSpacing"):
        return None
    rows, columns = read_pixel_spacing(header)
    return float(rows), float(columns)


def _check_kind(header: SliceHeader) -> None:
    name = header.name
    storage = str(header.get("SOPClassUID") or header.dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if not storage.startswith((VISIBLE_LIGHT, f"{SECONDARY_CAPTURE}.")) and storage != SECONDARY_CAPTURE:
        raise CaseError(
            f"{name}: not a VL image but {uid_name(storage)}; give visible-light or secondary capture objects"
        )
    rows, columns = read_integer(header, "Rows", 0), read_integer(header, "Columns", 0)
    if rows < 1 or columns < 1:
        raise CaseError(f"no pixel data: {name} has {rows}x{columns} pixels (rows x columns); export it again")
    check_pixels(name, columns, rows)
    frames = read_integer(header, "NumberOfFrames", 1)
    if frames != 1:
        raise CaseError(f"several frames: {name} has {frames}, one 2-D image expected; export them one by one")


def _check_values(image: SliceHeader) -> str:
    """Return the photometric interpretation, if samples and sign match it."""
    name = image.name
    photometric = str(image.get("PhotometricInterpretation") or "")
    samples = read_integer(image, "SamplesPerPixel", 1)
    if photometric not in (*COLOR, *GRAY, "PALETTE COLOR") or samples != (3 if photometric in COLOR else 1):
        description = quote_term(photometric) if photometric else "no PhotometricInterpretation"
        raise CaseError(
            f"{name}: {description} of {samples} samples, an RGB, YBR, palette or gray image expected; "
            "convert it to RGB"
        )
    if photometric in JPEG_2000_COLOR and codec_family(image) != "JPEG 2000":
        raise CaseError(f"{name}: {photometric} without JPEG 2000, the only codec with such colors; convert it to RGB")
    if photometric not in GRAY and read_integer(image, "PixelRepresentation", 0) != 0:
        raise CaseError(f"{name}: colors with a sign, unsigned values expected; convert it to RGB")
    return photometric


def _to_eight_bit_color(frame: np.ndarray, bits: int) -> np.ndarray:
    return (frame >> max(bits - 8, 0)).astype(np.uint8)


def _to_eight_bit_gray(frame: np.ndarray) -> np.ndarray:
    if frame.dtype == np.uint8:
        return frame
    return gray_to_eight_bit(frame.astype(np.float32))


def _resolve_palette(frame: np.ndarray, dataset: Dataset, name: str) -> np.ndarray:
    from pydicom.pixels import apply_color_lut

    try:
        colors = apply_color_lut(frame, dataset)
    except Exception as error:  # a damaged table raises all kinds of errors
        raise CaseError(f"{name}: {in_words(error, 'its palette is not usable', 'convert it to RGB')}") from error
    return _to_eight_bit_color(colors, 8 * colors.dtype.itemsize)
