"""A CT series from files to a Hounsfield volume with its place in the patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.dicom_files import dicom_files, one_line, read_header
from s3net_monai.io.dicom_geometry import SeriesGeometry, series_geometry
from s3net_monai.io.dicom_grid import AIR_HU, empty_stack, fill_absent, is_upright, shift_into
from s3net_monai.io.errors import CaseError


@dataclass(frozen=True)
class CTSeries:
    """``array`` (columns, rows, slices) in HU, ``affine`` 4x4 RAS+ in mm, ``files`` in slice order, ``notes`` on what
    was done to an irregular series."""

    array: np.ndarray
    affine: np.ndarray
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def series_files(paths: Iterable[Path], allow: Sequence[str] = ()) -> SeriesGeometry:
    """Read headers and validate, without pixels. ``paths``: one folder, or the files of one series.

    ``allow``: irregularities to mend, see ``series_geometry``.

    Raises:
        CaseError: with the named reason where the files are not one regular CT stack.
        ValueError: for an unknown name in ``allow``.
    """
    paths = list(paths)
    files = dicom_files(paths)
    if not files:
        raise CaseError(f"no image files: no DICOM in {paths[0].name if paths else 'an empty list'}")
    return series_geometry([read_header(file) for file in files], allow)


def load_series(paths: Iterable[Path], allow: Sequence[str] = ()) -> CTSeries:
    """Load one CT series in HU: int16 where every rescale is integral, float32 otherwise.

    Rescale (PS3.3 section C.11.1) is applied slice by slice, since slope and intercept may differ. Values marked by
    PixelPaddingValue (section C.7.5.1.1.2) become -1024 HU. int16 clips beyond 32767 HU, which no tissue reaches.
    ``allow``: irregularities to mend, see ``series_geometry``; absent slices are interpolated between their neighbours,
    tilted ones within their plane, both linearly in HU, and what no slice covers is -1024 HU.

    Raises:
        CaseError: with the named reason where the series is not regular or a slice cannot be decoded.
        ValueError: for an unknown name in ``allow``.
    """
    geometry = series_files(paths, allow)
    integral = all(_has_integral_rescale(header) for header in geometry.headers)
    stack = empty_stack(geometry, np.dtype(np.int16 if integral else np.float32))
    files = tuple(Path(header.filename) for header in geometry.headers)
    upright = is_upright(geometry)
    columns, rows = geometry.size
    for file, corner in zip(files, geometry.corners, strict=True):
        target = stack[int(corner[2])]
        if upright:
            _read_slice(file, target)
        else:
            values = np.empty((rows, columns), dtype=stack.dtype)
            _read_slice(file, values)
            shift_into(target, values, corner[:2])
    fill_absent(stack, geometry.corners[:, 2].astype(int))
    return CTSeries(stack.transpose(2, 1, 0), geometry.affine, files, geometry.notes)


def _has_integral_rescale(header: Any) -> bool:
    values = (header.get("RescaleSlope", 1), header.get("RescaleIntercept", 0))
    return "ModalityLUTSequence" not in header and all(
        value is not None and float(value).is_integer() for value in values
    )


def _read_slice(file: Path, target: np.ndarray) -> None:
    from pydicom import dcmread
    from pydicom.pixels import apply_modality_lut

    dataset = dcmread(file)
    if "PixelData" not in dataset:
        raise CaseError(f"no pixel data: {file.name} has a header only; export the series again")
    _check_decodable(dataset, file)
    try:
        stored = dataset.pixel_array
        values = apply_modality_lut(stored, dataset)
    except Exception as error:  # decoders raise whatever the damage provokes
        raise CaseError(f"{file.name}: pixel data cannot be decoded ({one_line(error)}); copy it again") from error
    if stored.shape != target.shape:
        raise CaseError(f"{file.name}: pixel data of {stored.shape}, header says {target.shape} (rows, columns)")
    if target.dtype == np.int16:
        np.clip(values, -32768, 32767, out=target, casting="unsafe")
    else:
        target[...] = values
    padding = _padding(stored, dataset)
    if padding is not None:
        target[padding] = AIR_HU


def _padding(stored: np.ndarray, dataset: Any) -> np.ndarray | None:
    """Mask of the values from PixelPaddingValue to PixelPaddingRangeLimit, or None where no padding is declared."""
    if dataset.get("PixelPaddingValue") is None:
        return None
    first = _as_stored(dataset.PixelPaddingValue, stored.dtype)
    last = _as_stored(dataset.get("PixelPaddingRangeLimit") or dataset.PixelPaddingValue, stored.dtype)
    return (stored >= min(first, last)) & (stored <= max(first, last))


def _as_stored(value: Any, dtype: np.dtype) -> Any:
    # Some writers store a negative padding value as unsigned; the wrap gives back what the pixels hold.
    return np.array(int(value), dtype=np.int64).astype(dtype)


def _check_decodable(dataset: Any, file: Path) -> None:
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    uid = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    if not uid.is_compressed or uid.is_deflated:
        return
    try:
        available = get_decoder(uid).is_available
    except NotImplementedError:  # pydicom's word for a transfer syntax that it does not know
        available = False
    if not available:
        raise CaseError(
            f"undecodable transfer syntax: {file.name} is {uid.name}; "
            "install the decoders with: pip install 's3net-monai[dicom-codecs]'"
        )
