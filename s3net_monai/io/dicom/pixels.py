"""Conversion of the stored values of a slice to Hounsfield units, or to the values of MR."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from s3net_monai.io.dicom.codec import decode_frames
from s3net_monai.io.dicom.grid import OUTSIDE
from s3net_monai.io.dicom.header import SliceHeader, modality_of, quote_term, read_numbers
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.reasons import in_words

# Defined terms of RescaleType (PS3.3 section C.11.1.1.2) other than Hounsfield units: material maps, film, counts.
OTHER_QUANTITIES = ("OD", "Z_EFF", "ED", "EDW", "MGML", "PCT")
MAX_SLOPE = 100.0
MAX_INTERCEPT = 1e5


def read_rescale(header: SliceHeader) -> tuple[float, float]:
    """Return slope and intercept to HU (PS3.3 section C.11.1).

    Both are mandatory in CT: without them the unit of the values is unknown. MR has no unit, and often neither of them.

    Raises:
        CaseError: if one of them is missing or implausible.
    """
    is_mr = modality_of(header) == "MR"
    if is_mr and header.get("RescaleSlope") in (None, "") and header.get("RescaleIntercept") in (None, ""):
        return 1.0, 0.0
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if header.get(keyword) in (None, ""):
            raise CaseError(f"{header.name}: no {keyword}, so its values are not Hounsfield units; export it again")
    slope = float(read_numbers(header, "RescaleSlope", 1)[0])
    intercept = float(read_numbers(header, "RescaleIntercept", 1)[0])
    if is_mr and slope > 0:
        return slope, intercept
    if not 0 < slope <= MAX_SLOPE or abs(intercept) > MAX_INTERCEPT:
        raise CaseError(f"{header.name}: rescale by {slope} and {intercept} does not give Hounsfield units")
    return slope, intercept


def check_unit(header: SliceHeader) -> None:
    """Refuse an image that is not gray, or a CT that is not in HU.

    MONOCHROME1 only asks a screen to show the image inverted; its values are the same.

    Raises:
        CaseError: naming the photometric interpretation or the quantity that was found.
    """
    photometric = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    modality = modality_of(header) or "CT"
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise CaseError(
            f"{header.name}: {quote_term(photometric)} found, gray {modality} expected; give the original series"
        )
    if modality == "MR":
        return
    table = header.get("ModalityLUTSequence")
    quantity = (table[0].get("ModalityLUTType") if table else header.get("RescaleType")) or "HU"
    quantity = str(quantity).strip().upper()
    if quantity in OTHER_QUANTITIES:
        raise CaseError(f"{header.name}: values of {quantity} found, Hounsfield units expected; give the CT series")


def is_integral(header: SliceHeader) -> bool:
    """Return whether whole stored values give whole HU that 16 bits hold; MR is stored up to 65535."""
    return (
        modality_of(header) != "MR"
        and "ModalityLUTSequence" not in header
        and all(value.is_integer() for value in read_rescale(header))
    )


def decode_to_hu(image: SliceHeader, headers: dict[int, SliceHeader], targets: dict[int, np.ndarray]) -> Iterator[int]:
    """Decode a file and write its frames in HU into arrays.

    Args:
        image: the whole file.
        headers: of the wanted frames by index, each with its own rescale.
        targets: arrays (rows, columns) of int16 or float32, by the same indices.

    Yields:
        The index of every frame after it was written.

    Raises:
        CaseError: if the file cannot be decoded or holds fewer frames.
    """
    remaining = set(headers)
    # Unused high bits are cleared later, since padding values may make use of them.
    frames = decode_frames(image, correct_unused_bits=False, view_only=True)
    for index, raw in enumerate(frames):
        if index in headers:
            _write_hu(raw, image, header=headers[index], target=targets[index])
            remaining.remove(index)
            yield index
    if remaining:
        raise CaseError(f"{image.name}: pixel data ends before frame {min(remaining) + 1}; copy it again")


def _write_hu(raw: np.ndarray, image: SliceHeader, *, header: SliceHeader, target: np.ndarray) -> None:
    stored = _clear_unused_bits(raw, int(image.dataset.BitsStored))
    if "ModalityLUTSequence" in header:
        values = _apply_lut(stored, header)
    else:
        slope, intercept = read_rescale(header)
        exact = target.dtype == np.int16 and stored.dtype.itemsize <= 2
        values = stored.astype(np.int32 if exact else np.float64)
        if slope != 1:
            values *= int(slope) if exact else slope
        values += int(intercept) if exact else intercept
    if target.dtype == np.int16:
        np.clip(values, -32768, 32767, out=target, casting="unsafe")
    else:
        target[...] = values
    padding = _padding_mask(raw, stored, image)
    if padding is not None:
        target[padding] = OUTSIDE[modality_of(header) or "CT"]


def _clear_unused_bits(raw: np.ndarray, bits_stored: int) -> np.ndarray:
    """Return the values without unused high bits, where old writers keep overlays; the sign is extended."""
    unused = 8 * raw.dtype.itemsize - bits_stored
    if not unused:
        return raw
    shifted = np.left_shift(raw, unused)
    return np.right_shift(shifted, unused, out=shifted)


def _apply_lut(stored: np.ndarray, header: SliceHeader) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    try:
        return apply_modality_lut(stored, header.dataset)
    except Exception as error:  # a damaged table raises all kinds of errors
        raise CaseError(f"{header.name}: {in_words(error, 'Modality LUT not usable', 'export it again')}") from error


def _padding_mask(raw: np.ndarray, stored: np.ndarray, image: SliceHeader) -> np.ndarray | None:
    """Return where values lie from PixelPaddingValue to PixelPaddingRangeLimit, or None without such values."""
    if image.get("PixelPaddingValue") is None:
        return None
    first = _read_stored_value(image, "PixelPaddingValue", raw.dtype)
    last = first
    if image.get("PixelPaddingRangeLimit") is not None:
        last = _read_stored_value(image, "PixelPaddingRangeLimit", raw.dtype)
    low, high = min(first, last), max(first, last)
    # A padding value that needs more bits than are stored can only be found before the high bits are cleared.
    ends = np.array([low, high], dtype=raw.dtype)
    values = stored if np.array_equal(_clear_unused_bits(ends, int(image.dataset.BitsStored)), ends) else raw
    return (values >= low) & (values <= high)


def _read_stored_value(image: SliceHeader, keyword: str, dtype: np.dtype) -> int:
    # Some writers store a negative padding value as unsigned; wrapping it gives the value that the pixels hold.
    return int(np.array(read_numbers(image, keyword, 1)[0], dtype=np.int64).astype(dtype))
