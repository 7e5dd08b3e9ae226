"""Slices of several acquisitions, breaths or phases that alternate in one series.

Where a second pass lies between the slices of the first, both merge into an even stack of half the spacing, which shows
two moments at once. Acquisitions that abut are one scan in parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3net_monai.io.dicom.header import SliceHeader, modality_of
from s3net_monai.utils.errors import CaseError

# One value each for all slices of an acquisition or phase.
IDENTIFIERS = (
    *("AcquisitionNumber", "FrameAcquisitionNumber", "AcquisitionUID", "IrradiationEventUID"),
    *("TemporalPositionIdentifier", "TemporalPositionIndex"),
)
# May differ from slice to slice of one acquisition. Texts of dates and times sort as the times do.
MOMENTS = (
    *("AcquisitionDateTime", "FrameAcquisitionDateTime", "FrameReferenceDateTime", "AcquisitionDate"),
    *("AcquisitionTime", "TriggerTime", "TemporalPositionTimeOffset", "NominalCardiacTriggerDelayTime"),
    *("ActualCardiacTriggerDelayTime", "NominalPercentageOfCardiacPhase", "NominalPercentageOfRespiratoryPhase"),
    *("CardiacCyclePosition", "RespiratoryCyclePosition", "SeriesDate", "SeriesTime", "ContentDate", "ContentTime"),
    "InstanceNumber",
)
ACQUISITION_KEYWORDS = (*IDENTIFIERS, *MOMENTS)
MIN_SLICES_OF_A_PASS = 3  # the values of fewer may be ordered like those of passes by chance
MISSING = (-np.inf, "")  # sorts first
MAX_PASSES = 32  # phases of a gated scan are 10 to 20


def check_one_acquisition(headers: Sequence[SliceHeader], indices: np.ndarray) -> None:
    """Refuse a series in which slices of several acquisitions alternate along the normal, evenly or not.

    An identifier tells them apart where its value returns after another one. A moment tells k passes apart where the
    times of every k-th slice lie before or after those of all other slices: within one acquisition, they overlap.

    Args:
        headers: of the slices, ordered along the normal.
        indices: (len(headers),) their indices along the normal, from 0, with gaps where slices are missing.

    Raises:
        CaseError: naming the attribute and two neighboring slices.
    """
    if modality_of(headers[0]) == "MR":  # excites every second slice first, and the others in a second pass
        return
    for keyword in ACQUISITION_KEYWORDS:
        values = [_comparable(header.get(keyword)) for header in headers]
        if len(set(values)) < 2:
            continue
        if (keyword in IDENTIFIERS and _returns(values)) or _are_passes(values, indices):
            i = next(i for i in range(1, len(values)) if values[i] != values[i - 1])
            raise CaseError(
                f"several acquisitions: slices that differ in {keyword} alternate along the series "
                f"({headers[i - 1].name} and {headers[i].name}); keep the slices of one per folder"
            )


def differing_identifier(first: SliceHeader, second: SliceHeader) -> str:
    """Return the keyword of an identifier in which two slices differ, or an empty string."""
    differing = (k for k in IDENTIFIERS if _comparable(first.get(k)) != _comparable(second.get(k)))
    return next(differing, "")


def _comparable(value: object) -> tuple[float, str]:
    """Return a key that sorts numbers by value and texts as texts; a missing value comes first."""
    if value is None or value == "":
        return MISSING
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))


def _returns(values: Sequence[tuple[float, str]]) -> bool:
    """Return whether a value comes again behind another one; slices without a value count where they are a pass."""
    if values.count(MISSING) < MIN_SLICES_OF_A_PASS:
        values = [value for value in values if value != MISSING]
    runs = [value for i, value in enumerate(values) if i == 0 or value != values[i - 1]]
    return len(set(runs)) < len(runs)


def _are_passes(values: Sequence[tuple[float, str]], indices: np.ndarray) -> bool:
    """Return whether, for some k, the values of every k-th slice are apart from those of all the others."""
    rank_of = {value: rank for rank, value in enumerate(sorted(set(values)))}
    ranks = np.array([rank_of[value] for value in values])
    for count in range(2, min(len(ranks) // MIN_SLICES_OF_A_PASS, MAX_PASSES) + 1):
        lowest, highest = np.full(count, len(ranks)), np.full(count, -1)
        np.minimum.at(lowest, indices % count, ranks)
        np.maximum.at(highest, indices % count, ranks)
        order = np.argsort(lowest)
        if (highest >= 0).all() and (highest[order][:-1] < lowest[order][1:]).all():
            return True
    return False
