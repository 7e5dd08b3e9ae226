"""From stored values of a CT slice to Hounsfield units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from s3net_monai.io.dicom.codec import stored_frames
from s3net_monai.io.dicom.grid import AIR_HU
from s3net_monai.io.dicom.slices import name_of, numbers, term
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import one_line

# Defined terms of RescaleType (PS3.3 section C.11.1.1.2) that are no Hounsfield units: material maps, film, counts.
OTHER_QUANTITIES = ("OD", "Z_EFF", "ED", "EDW", "MGML", "PCT")
MAX_SLOPE = 100.0
MAX_INTERCEPT = 1e5


def rescale(header: Any) -> tuple[float, float]:
    """Slope and intercept to HU (PS3.3 section C.11.1). Both are mandatory in CT: without them nobody knows the unit.

    Raises:
        CaseError: when one is missing or implausible, or the result is another quantity than HU.
    """
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if header.get(keyword) in (None, ""):
            raise CaseError(f"{name_of(header)}: no {keyword}, so its values are no Hounsfield units; export it again")
    slope = float(numbers(header, "RescaleSlope", 1)[0])
    intercept = float(numbers(header, "RescaleIntercept", 1)[0])
    if not 0 < slope <= MAX_SLOPE or abs(intercept) > MAX_INTERCEPT:
        raise CaseError(f"{name_of(header)}: rescale by {slope} and {intercept} gives no Hounsfield units")
    return slope, intercept


def check_unit(header: Any) -> None:
    """Refuse what is no gray CT in HU. MONOCHROME1 only asks a screen to show it inverted, so its values stay.

    Raises:
        CaseError: naming the photometric interpretation or the quantity.
    """
    photometric = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise CaseError(f"{name_of(header)}: {term(photometric)} found, gray CT expected; give the original series")
    table = header.get("ModalityLUTSequence")
    quantity = (table[0].get("ModalityLUTType") if table else header.get("RescaleType")) or "HU"
    quantity = str(quantity).strip().upper()
    if quantity in OTHER_QUANTITIES:
        raise CaseError(f"{name_of(header)}: values of {quantity} found, Hounsfield units expected; give the CT series")


def is_integral(header: Any) -> bool:
    """Whether whole stored values give whole HU."""
    return "ModalityLUTSequence" not in header and all(value.is_integer() for value in rescale(header))


def frames_in_hu(dataset: Any, headers: dict[int, Any], targets: dict[int, np.ndarray]) -> Iterator[int]:
    """Decode a file and write its frames in HU; yields the index of every frame that was written.

    Args:
        dataset: the whole file.
        headers: of the wanted frames by index, with their own rescale.
        targets: arrays (rows, columns) of int16 or float32, by the same indices.

    Raises:
        CaseError: when the file cannot be decoded or holds fewer frames.
    """
    left = set(headers)
    # Unused high bits are cleared here, since padding values may make use of them.
    frames = stored_frames(dataset, correct_unused_bits=False, view_only=True)
    for index, raw in enumerate(frames):
        if index in headers:
            _to_hu(raw, dataset, headers[index], targets[index])
            left.remove(index)
            yield index
    if left:
        raise CaseError(f"{name_of(dataset)}: pixel data ends before frame {min(left) + 1}; copy it again")


def _to_hu(raw: np.ndarray, dataset: Any, header: Any, target: np.ndarray) -> None:
    stored = _used_bits(raw, int(dataset.BitsStored))
    if "ModalityLUTSequence" in header:
        values = _looked_up(stored, header)
    else:
        slope, intercept = rescale(header)
        exact = target.dtype == np.int16 and stored.dtype.itemsize <= 2
        values = stored.astype(np.int32 if exact else np.float64)
        if slope != 1:
            values *= int(slope) if exact else slope
        values += int(intercept) if exact else intercept
    if target.dtype == np.int16:
        np.clip(values, -32768, 32767, out=target, casting="unsafe")
    else:
        target[...] = values
    padding = _padding(raw, stored, dataset)
    if padding is not None:
        target[padding] = AIR_HU


def _used_bits(raw: np.ndarray, bits_stored: int) -> np.ndarray:
    """Values without what old writers keep in the unused high bits, such as overlays; the sign extended."""
    unused = 8 * raw.dtype.itemsize - bits_stored
    if not unused:
        return raw
    shifted = np.left_shift(raw, unused)
    return np.right_shift(shifted, unused, out=shifted)


def _looked_up(stored: np.ndarray, header: Any) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    try:
        return apply_modality_lut(stored, header)
    except Exception as error:  # a damaged table raises whatever it provokes
        raise CaseError(f"{name_of(header)}: Modality LUT not usable ({one_line(error)}); export it again") from error


def _padding(raw: np.ndarray, stored: np.ndarray, dataset: Any) -> np.ndarray | None:
    """Mask of the values from PixelPaddingValue to PixelPaddingRangeLimit, or None where no padding is declared."""
    if dataset.get("PixelPaddingValue") is None:
        return None
    first = _as_stored(dataset, "PixelPaddingValue", raw.dtype)
    last = first
    if dataset.get("PixelPaddingRangeLimit") is not None:
        last = _as_stored(dataset, "PixelPaddingRangeLimit", raw.dtype)
    low, high = min(first, last), max(first, last)
    # A padding value that needs more bits than are stored can only be found before these are cut off.
    ends = np.array([low, high], dtype=raw.dtype)
    values = stored if np.array_equal(_used_bits(ends, int(dataset.BitsStored)), ends) else raw
    return (values >= low) & (values <= high)


def _as_stored(dataset: Any, keyword: str, dtype: np.dtype) -> int:
    # Some writers store a negative padding value as unsigned; the wrap gives back what the pixels hold.
    return int(np.array(numbers(dataset, keyword, 1)[0], dtype=np.int64).astype(dtype))
