"""A CT series from files to a Hounsfield volume with its place in the patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s3net_monai.io.dicom.enhanced import slice_headers
from s3net_monai.io.dicom.files import dicom_files, read_dataset, read_header
from s3net_monai.io.dicom.geometry import SeriesGeometry, series_geometry
from s3net_monai.io.dicom.grid import empty_stack, fill_absent, is_upright, shift_into
from s3net_monai.io.dicom.pixels import check_unit, frames_in_hu, is_integral
from s3net_monai.utils.errors import CaseError


@dataclass(frozen=True)
class CTSeries:
    """``array`` (columns, rows, slices) in HU, ``affine`` 4x4 RAS+ in mm, ``files`` in slice order (one for an enhanced
    object), ``notes`` on what was done to an irregular series."""

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
    return series_geometry([header for file in files for header in slice_headers(read_header(file))], allow)


def load_series(paths: Iterable[Path], allow: Sequence[str] = ()) -> CTSeries:
    """Load one CT series in HU: int16 where every rescale is integral, float32 otherwise.

    Rescale (PS3.3 section C.11.1) is applied slice by slice, since slope and intercept may differ. Values marked by
    PixelPaddingValue (section C.7.5.1.1.2) become -1024 HU. int16 clips beyond 32767 HU, which no tissue reaches.
    ``allow``: irregularities to mend, see ``series_geometry``; absent slices are interpolated between their neighbors,
    tilted ones within their plane, both linearly in HU, and what no slice covers is -1024 HU.

    Raises:
        CaseError: with the named reason where the series is not regular or a slice cannot be decoded.
        ValueError: for an unknown name in ``allow``.
    """
    geometry = series_files(paths, allow)
    for header in geometry.headers:
        check_unit(header)
    integral = all(is_integral(header) for header in geometry.headers)
    stack = empty_stack(geometry, np.dtype(np.int16 if integral else np.float32))
    upright = is_upright(geometry)
    columns, rows = geometry.size
    for file, places in _by_file(geometry).items():
        # A tilted slice is read apart and then laid on the grid; all others are written where they belong at once.
        corners = {frame: geometry.corners[place] for frame, place in places.items()}
        targets = {
            frame: stack[int(corner[2])] if upright else np.empty((rows, columns), dtype=stack.dtype)
            for frame, corner in corners.items()
        }
        headers = {frame: geometry.headers[place] for frame, place in places.items()}
        for frame in frames_in_hu(read_dataset(file), headers, targets):
            if not upright:
                shift_into(stack[int(corners[frame][2])], targets.pop(frame), corners[frame][:2])
    fill_absent(stack, geometry.corners[:, 2].astype(int))
    files = tuple(dict.fromkeys(Path(header.filename) for header in geometry.headers))
    return CTSeries(stack.transpose(2, 1, 0), geometry.affine, files, geometry.notes)


def _by_file(geometry: SeriesGeometry) -> dict[Path, dict[int, int]]:
    """For every file, which of its frames is which slice."""
    files: dict[Path, dict[int, int]] = {}
    for place, header in enumerate(geometry.headers):
        files.setdefault(Path(header.filename), {})[getattr(header, "frame_index", 0)] = place
    return files
