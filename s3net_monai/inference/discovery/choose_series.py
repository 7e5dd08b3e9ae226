"""Which series of a study are selected, and why the others are excluded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from s3net_monai.inference.discovery.dicom_headers import DERIVED_MODALITIES, SeriesFiles
from s3net_monai.inference.discovery.series_selection import Selection
from s3net_monai.io.dicom.header import quote_term


class Choice(NamedTuple):
    """The selected series of a study, why the others do not fit by ``id``, and the problem if none fits."""

    selected: list[SeriesFiles]
    reasons: dict[int, str]
    problem: str


def is_candidate(series: SeriesFiles) -> bool:
    """Return whether a series may be selected."""
    return series.kind == "volume" and series.modality not in DERIVED_MODALITIES


def choose_series(candidates: list[SeriesFiles], rules: Selection, is_only_series: bool) -> Choice:
    """Choose among the series of a study.

    Args:
        candidates: those that may be selected.
        rules: which of them to select.
        is_only_series: whether the input has no other candidate, so that there is nothing to choose.
    """
    if not candidates or is_only_series:
        return Choice(candidates, {}, "")
    failures = {id(series): rules.failures(series.attributes) for series in candidates}
    reasons = {key: next(filter(None, failed), "") for key, failed in failures.items()}
    fitting = [series for series in candidates if not reasons[id(series)]]
    if not fitting:
        # Earlier conditions weigh more; then the series with most slices wins, and among equals the first one.
        closest = min(candidates, key=lambda s: ([bool(failed) for failed in failures[id(s)]], -s.frames))
        if rules.takes_alike:
            alike = [series for series in candidates if _likeness(series, failures) == _likeness(closest, failures)]
            return Choice(alike, reasons, "")
        if rules.takes_closest:
            return Choice([closest], reasons, "")
        reason = reasons[id(closest)]
        problem = f"no series satisfies the rules of {rules.name}: {reason} in {describe(closest)}"
        return Choice([closest], reasons, problem)
    if rules.choose == "all":
        return Choice(fitting, reasons, "")
    largest = max(fitting, key=lambda series: series.frames)
    for series in fitting:
        if series is not largest:
            reasons[id(series)] = f"{series.frames} slices, the selected series has {largest.frames}"
    return Choice([largest], reasons, "")


def _likeness(series: SeriesFiles, failures: Mapping[int, tuple[str, ...]]) -> tuple[object, ...]:
    return tuple(map(bool, failures[id(series)])), series.frames, series.images


def reason_no_candidate(series: SeriesFiles) -> str:
    """Return why a series may not be selected."""
    if series.kind == "color_capture":
        return "a color capture beside a volume"
    return f"{series.modality}, derived from images and not an image itself"


def describe(series: SeriesFiles) -> str:
    """Describe a series by codes and numbers alone: its description is free text, which may name a patient."""
    number = series.attributes.get("SeriesNumber", ("",))[0]
    if not re.fullmatch(r"-?\d{1,11}", number):
        number = "without number"
    orientation = next(iter(series.attributes.get("Orientation", ())), "unknown")
    details = [quote_term(series.modality)] if series.modality else []
    details += [orientation] if orientation != "unknown" else []
    thickness = next(iter(series.attributes.get("SliceThickness", ())), "")
    if re.fullmatch(r"\d{1,3}(\.\d+)?", thickness):
        details.append(f"{float(thickness):.4g} mm")
    joined = ", ".join(details)
    slices = f"{series.frames} slice{'s' if series.frames != 1 else ''}"
    return f"series {number}{f' ({joined})' if details else ''} of {slices}"
