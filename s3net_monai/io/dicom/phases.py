"""Phases of a cine series: which of its images, one at every slice position, show the same time of the cycle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s3net_monai.io.dicom.header import DIRECTION_TOLERANCE, SliceHeader, read_numbers
from s3net_monai.utils.errors import CaseError

# What orders the images at one position in time. The first that all images state counts, if no two images at one
# position agree in it. Times are in ms: TriggerTime (PS3.3 section C.8.3.1) of single slices,
# NominalCardiacTriggerDelayTime (section C.7.6.16.2.7) of frames.
CARDIAC_TIMES = ("TriggerTime", "NominalCardiacTriggerDelayTime")
ORDERS = (*CARDIAC_TIMES, "TemporalPositionIndex", "TemporalPositionIdentifier", "InstanceNumber")
# What else may differ between images at one position. None of these is a time.
OTHER_DIMENSIONS = (
    *("ImageType", "EchoTime", "EffectiveEchoTime", "InversionTime", "InversionTimes", "FlipAngle"),
    "DiffusionBValue",
)
POSITION_DECIMALS = 2  # of mm; images at one position are closer than two slices ever are
_PHASE_MARK = re.compile(r"(.+)#phase=([1-9][0-9]{0,4})", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """The images of one phase.

    Attributes:
        number: in the order of time, from 1.
        count: phases of the series.
        time: mean time after the R wave in ms over the slices, which are often acquired in different heart beats; None
            where the images do not state it.
        headers: one image per slice position.
    """

    number: int
    count: int
    time: float | None
    headers: tuple[SliceHeader, ...]

    def __str__(self) -> str:
        time = "" if self.time is None else f", {self.time:.0f} ms after the R wave"
        return f"phase {self.number} of {self.count}{time}"


def split_phases(headers: Sequence[SliceHeader]) -> list[Phase]:
    """Sort the images of a series into phases by position and time, however they are numbered and named.

    Args:
        headers: the images, or the frames of enhanced objects, in any order.

    Returns:
        The phases in the order of time; a single one where no position has several images.

    Raises:
        CaseError: if positions have different numbers of images, if images at one position differ in more than time,
            or if nothing tells their times apart.
    """
    positions: dict[tuple[float, ...], list[SliceHeader]] = {}
    for header in headers:
        place = np.round(read_numbers(header, "ImagePositionPatient", 3), POSITION_DECIMALS) + 0.0  # no negative zero
        positions.setdefault(tuple(place.tolist()), []).append(header)
    counts = sorted({len(images) for images in positions.values()})
    if counts in ([], [1]):
        return [Phase(number=1, count=1, time=None, headers=tuple(headers))]
    _check_parallel(headers)
    if len(counts) > 1:
        raise CaseError(
            f"uneven phases: {counts[0]} images at one slice position and {counts[-1]} at another, as many expected; "
            "export the series again"
        )
    _check_only_time_differs(positions)
    keyword = next((name for name in ORDERS if _tells_apart(positions, name)), None)
    if keyword is None:
        raise CaseError(
            f"several points in time: {counts[0]} images at every slice position, and no {ORDERS[0]}, "
            f"{ORDERS[2]} or {ORDERS[-1]} that orders them; export one phase"
        )
    ordered = [sorted(images, key=lambda header: _number(header, keyword)) for images in positions.values()]
    phases = []
    for number, group in enumerate(zip(*ordered, strict=True), start=1):
        times = [_number(header, keyword) for header in group] if keyword in CARDIAC_TIMES else []
        phases.append(
            Phase(number=number, count=counts[0], time=float(np.mean(times)) if times else None, headers=tuple(group))
        )
    return phases


def select_phase(headers: Sequence[SliceHeader], number: int | None) -> list[SliceHeader]:
    """Return the images of one phase.

    Args:
        headers: of a series.
        number: of the phase, from 1; None where the series has a single one.

    Raises:
        CaseError: if there is no such phase, or several and none was named.
    """
    phases = split_phases(headers)
    if number is None:
        if len(phases) > 1:
            raise CaseError(
                f"several points in time: a cine series of {len(phases)} phases, one expected; give the files of one, "
                "or 'file#phase=1'"
            )
        return list(phases[0].headers)
    if number > len(phases):
        raise CaseError(f"no phase {number}: the series has {len(phases)}; give one of them")
    return list(phases[number - 1].headers)


def with_phase(path: Path, number: int) -> str:
    """Return the text that names one phase of a file, as readers of series take it.

    Example:
        >>> with_phase(Path("cine.dcm"), 3)
        'cine.dcm#phase=3'
    """
    return f"{path}#phase={number}"


def parse_phase(text: str) -> tuple[Path, int | None]:
    """Return a path and the number of the phase that it names, None where it names none.

    Example:
        >>> parse_phase("cine.dcm#phase=3")
        (PosixPath('cine.dcm'), 3)
    """
    match = _PHASE_MARK.fullmatch(text)
    return (Path(match[1]), int(match[2])) if match else (Path(text), None)


def _check_parallel(headers: Sequence[SliceHeader]) -> None:
    first = read_numbers(headers[0], "ImageOrientationPatient", 6)
    for header in headers[1:]:
        if np.abs(read_numbers(header, "ImageOrientationPatient", 6) - first).max() > DIRECTION_TOLERANCE:
            raise CaseError(
                f"mixed orientations: {header.name} differs from {headers[0].name}; "
                "remove localizers and reformats from the series"
            )


def _check_only_time_differs(positions: dict[tuple[float, ...], list[SliceHeader]]) -> None:
    for images in positions.values():
        for keyword in OTHER_DIMENSIONS:
            if len({str(header.get(keyword)) for header in images}) > 1:
                raise CaseError(
                    f"several {keyword}s at one slice position ({images[0].name}), images that differ in time alone "
                    "expected; export one kind of image"
                )


def _tells_apart(positions: dict[tuple[float, ...], list[SliceHeader]], keyword: str) -> bool:
    """Return whether every image states a number, and no two images at one position the same."""
    for images in positions.values():
        try:
            values = {_number(header, keyword) for header in images}
        except CaseError:
            return False
        if len(values) < len(images):
            return False
    return True


def _number(header: SliceHeader, keyword: str) -> float:
    return float(read_numbers(header, keyword, 1)[0])
