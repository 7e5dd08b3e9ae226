"""MONAI image reader for photographs in DICOM (dermoscopy), for use by name in a bundle's ``LoadImaged``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, ensure_tuple

from s3net_monai.io.dicom.codec import codec_family, stored_frames
from s3net_monai.io.dicom.files import looks_like_dicom, read_dataset, read_header
from s3net_monai.io.dicom.slices import integer, name_of, pixel_spacing, term, uid_name
from s3net_monai.io.limits import check_pixels
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import one_line

# PS3.4 table B.5-1: all visible light images (photographic 77.1.4, dermoscopic 77.1.7), and secondary captures.
VISIBLE_LIGHT = "1.2.840.10008.5.1.4.1.1.77.1."
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
OF_JPEG_2000 = ("YBR_ICT", "YBR_RCT")
GRAY = ("MONOCHROME1", "MONOCHROME2")


class DicomVLImageReader(ImageReader):
    """Reads one photograph as (columns, rows, 3) RGB of 8 bits, laid out as by ``PILReader`` with ``upright_rgb``.

    Visible light and secondary capture objects (PS3.3 sections A.32 and A.8) with one frame. ``read`` raises for
    inputs of other formats alone, so that ``LoadImage`` goes on to the other readers; a bad photograph is refused in
    ``get_data``, whose error ends the load.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether the input is one DICOM file."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return len(paths) == 1 and looks_like_dicom(paths[0])

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Path:
        """The path to read.

        Raises:
            ValueError: when the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not a single DICOM file: {data}")
        return Path(ensure_tuple(data)[0])

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """The picture (columns, rows, 3) uint8 and MONAI metadata.

        "spacing" is (row, column) in mm, as in PixelSpacing, where the file states one. Spacings of a detector or of
        scanned paper are no sizes on skin and are passed over.

        Raises:
            CaseError: with the named reason where the file is no photograph or cannot be decoded.
        """
        picture, spacing = load_picture(img)
        metadata: dict[str, Any] = {
            MetaKeys.SPATIAL_SHAPE: np.asarray(picture.shape[:2]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: -1,
        }
        if spacing is not None:  # MONAI cannot make batches of None
            metadata["spacing"] = list(spacing)
        return picture, metadata


def load_picture(path: Path) -> tuple[np.ndarray, tuple[float, float] | None]:
    """One photograph as (columns, rows, 3) RGB uint8, and its (row, column) spacing in mm or None.

    Gray is repeated, a palette resolved, 16-bit gray scaled by the range it uses, as ``upright_rgb`` does.

    Raises:
        CaseError: with the named reason where the file is no photograph or cannot be decoded.
    """
    _check_kind(read_header(path))
    dataset = read_dataset(path)
    photometric = _check_values(dataset)
    frame = next(stored_frames(dataset))
    if photometric in COLOR:
        picture = _eight_bit_color(frame, integer(dataset, "BitsStored"))
    elif photometric in GRAY:
        gray = _eight_bit_gray(frame)
        picture = np.stack([255 - gray if photometric == "MONOCHROME1" else gray] * 3, axis=-1)
    else:
        picture = _resolved(frame, dataset)
    spacing = pixel_spacing(dataset) if dataset.get("PixelSpacing") else None
    return picture.transpose(1, 0, 2), None if spacing is None else (float(spacing[0]), float(spacing[1]))


def _check_kind(header: Any) -> None:
    name = name_of(header)
    storage = str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID", ""))
    if not storage.startswith((VISIBLE_LIGHT, f"{SECONDARY_CAPTURE}.")) and storage != SECONDARY_CAPTURE:
        raise CaseError(
            f"{name}: not a photograph but {uid_name(storage)}; give visible light or secondary capture objects"
        )
    rows, columns = integer(header, "Rows", 0), integer(header, "Columns", 0)
    if rows < 1 or columns < 1:
        raise CaseError(f"no pixel data: {name} has {rows}x{columns} pixels (rows x columns); export it again")
    check_pixels(name, columns, rows)
    frames = integer(header, "NumberOfFrames", 1)
    if frames != 1:
        raise CaseError(f"several frames: {name} has {frames}, one picture expected; export them one by one")


def _check_values(dataset: Any) -> str:
    """The photometric interpretation, where samples and sign go with it."""
    name = name_of(dataset)
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    samples = integer(dataset, "SamplesPerPixel", 1)
    if photometric not in (*COLOR, *GRAY, "PALETTE COLOR") or samples != (3 if photometric in COLOR else 1):
        found = term(photometric) if photometric else "no PhotometricInterpretation"
        raise CaseError(
            f"{name}: {found} of {samples} samples, an RGB, YBR, palette or gray picture expected; convert it to RGB"
        )
    if photometric in OF_JPEG_2000 and codec_family(dataset) != "JPEG 2000":
        raise CaseError(f"{name}: {photometric} without JPEG 2000, which alone has such colors; convert it to RGB")
    if photometric not in GRAY and integer(dataset, "PixelRepresentation", 0) != 0:
        raise CaseError(f"{name}: colors with a sign, unsigned values expected; convert it to RGB")
    return photometric


def _eight_bit_color(frame: np.ndarray, bits: int) -> np.ndarray:
    return (frame >> max(bits - 8, 0)).astype(np.uint8)


def _eight_bit_gray(frame: np.ndarray) -> np.ndarray:
    if frame.dtype == np.uint8:
        return frame
    values = frame.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    return ((values - low) * scale).round().astype(np.uint8)


def _resolved(frame: np.ndarray, dataset: Any) -> np.ndarray:
    from pydicom.pixels import apply_color_lut

    try:
        colors = apply_color_lut(frame, dataset)
    except Exception as error:  # a damaged table raises whatever it provokes
        raise CaseError(
            f"{name_of(dataset)}: its palette is not usable ({one_line(error)}); convert it to RGB"
        ) from error
    return _eight_bit_color(colors, 8 * colors.dtype.itemsize)
