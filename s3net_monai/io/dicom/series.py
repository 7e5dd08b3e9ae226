"""Loading of a CT series in Hounsfield units, or of one phase of an MR series, as a volume with its affine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from s3net_monai.io.dicom.codec import check_pixel_data
from s3net_monai.io.dicom.copies import drop_copies
from s3net_monai.io.dicom.enhanced import check_concatenations, check_same, split_frames
from s3net_monai.io.dicom.files import list_dicom_files, read_header, read_image
from s3net_monai.io.dicom.geometry import SeriesGeometry, build_geometry
from s3net_monai.io.dicom.grid import OUTSIDE, Allocate, empty_stack, fill_missing, is_upright, shift_into
from s3net_monai.io.dicom.header import SliceHeader, is_image
from s3net_monai.io.dicom.phases import select_phase
from s3net_monai.io.dicom.pixels import check_unit, decode_to_hu, is_integral
from s3net_monai.io.dicom.trailing_zeros import zeros_note
from s3net_monai.io.file_bytes import file_state
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.mapped_stack import drop_pages

DROP_AFTER = 32  # slices that were written to an array in a file


@dataclass(frozen=True, kw_only=True)
class LoadedSeries:
    """A CT or MR volume.

    Attributes:
        array: (columns, rows, slices), CT in HU.
        affine: (4, 4) RAS+ in mm.
        files: in slice order; an enhanced object is one of them.
        notes: one line per repair of an irregular series.
    """

    array: np.ndarray
    affine: np.ndarray
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def read_geometry(
    paths: Iterable[Path], allow: Sequence[str] = (), modality: str = "CT", phase: int | None = None
) -> SeriesGeometry:
    """Read and validate the headers of a series, without pixels.

    Args:
        paths: one folder, or the files of one series.
        allow: values of ``Irregularity`` to repair instead of refusing.
        modality: "CT" or "MR", which the series must be.
        phase: number of the phase of an MR series, from 1; None where it has a single one.

    Raises:
        CaseError: with the reason, if the files are not one regular stack of this modality.
        ValueError: if a name in ``allow`` is unknown.
    """
    paths = list(paths)
    files = list_dicom_files(paths)
    if not files:
        raise CaseError(f"no image files: no DICOM in {paths[0].name if paths else 'an empty list'}")
    headers, notes = drop_copies(_read_headers(files))
    notes += check_concatenations(headers)
    frames = [frame for header in headers for frame in split_frames(header)]
    if modality == "MR":
        images = [frame for frame in frames if is_image(frame)]
        frames = select_phase(images, phase) if images else frames
    else:
        dated = [frame for frame in frames if "TemporalPositionIndex" in frame]
        check_same(dated, "TemporalPositionIndex", noun="points in time")
    geometry = build_geometry(frames, allow, modality)
    return replace(geometry, notes=(*notes, *geometry.notes))


def _read_headers(files: Sequence[Path]) -> list[SliceHeader]:
    headers: list[SliceHeader] = []
    problems: list[str] = []
    for file in files:
        try:
            headers.append(read_header(file))
        except CaseError as error:
            problems.append(str(error))
            if headers:
                break  # one damaged file among others is enough
    if problems and len(problems) == len(files) > 1:
        raise CaseError(f"no readable file: all {len(files)} DICOM files are damaged; the first: {problems[0]}")
    if problems:
        raise CaseError(problems[0])
    return headers


def load_series(
    paths: Iterable[Path],
    allow: Sequence[str] = (),
    modality: str = "CT",
    phase: int | None = None,
    allocate: Allocate = np.empty,
) -> LoadedSeries:
    """Load one CT series in HU, int16 where every rescale is integral, or one phase of an MR series; else float32.

    Rescale (PS3.3 section C.11.1) is applied slice by slice, since slope and intercept may differ. Values marked by
    PixelPaddingValue (section C.7.5.1.1.2) become -1024 HU. int16 clips beyond 32767 HU, which no tissue reaches.

    Args:
        paths: one folder, or the files of one series.
        allow: values of ``Irregularity`` to repair instead of refusing. Missing slices are interpolated between their
            neighbors, tilted ones within their plane, both linearly in HU; voxels that no slice covers are -1024 HU,
            or 0 in MR.
        modality: "CT" or "MR", which the series must be.
        phase: number of the phase of an MR series, from 1; None where it has a single one.
        allocate: makes the array (slices, rows, columns), which may be in a file.

    Raises:
        CaseError: with the reason, if the series is not regular or a slice cannot be decoded.
        ValueError: if a name in ``allow`` is unknown.
    """
    paths = list(paths)
    before = {file: file_state(file) for file in list_dicom_files(paths)}
    geometry = read_geometry(paths, allow, modality, phase)
    for header in geometry.headers:
        check_unit(header)
    integral = all(is_integral(header) for header in geometry.headers)
    outside = OUTSIDE[modality]
    stack = empty_stack(geometry, np.dtype(np.int16 if integral else np.float32), outside, allocate)
    upright = is_upright(geometry)
    columns, rows = geometry.size
    zeros: dict[Path, int] = {}
    written = 0
    for file, slice_of_frame in _group_by_file(geometry).items():
        # A tilted slice is decoded into a buffer and then resampled; all others are decoded straight into the stack.
        corners = {frame: geometry.corners[index] for frame, index in slice_of_frame.items()}
        targets = {
            frame: stack[int(corner[2])] if upright else np.empty((rows, columns), dtype=stack.dtype)
            for frame, corner in corners.items()
        }
        headers = {frame: geometry.headers[index] for frame, index in slice_of_frame.items()}
        image = read_image(file)
        if file_state(file) != before.get(file):
            raise CaseError(f"{file.name}: changed while the series was read; wait until it is complete")
        if dropped := check_pixel_data(image):
            zeros[file] = dropped
        for frame in decode_to_hu(image, headers, targets):
            if not upright:
                shift_into(stack[int(corners[frame][2])], targets.pop(frame), corners[frame][:2], outside)
        if (written := written + len(slice_of_frame)) >= DROP_AFTER:
            drop_pages(stack)
            written = 0
    fill_missing(stack, geometry.corners[:, 2].astype(int))
    files = tuple(dict.fromkeys(header.path for header in geometry.headers))
    notes = (*geometry.notes, *([zeros_note(sum(zeros.values()), [file.name for file in zeros])] if zeros else []))
    return LoadedSeries(array=stack.transpose(2, 1, 0), affine=geometry.affine, files=files, notes=notes)


def _group_by_file(geometry: SeriesGeometry) -> dict[Path, dict[int, int]]:
    """Return, for every file, the slice index of each of its frames."""
    files: dict[Path, dict[int, int]] = {}
    for index, header in enumerate(geometry.headers):
        files.setdefault(header.path, {})[header.frame_index or 0] = index
    return files
