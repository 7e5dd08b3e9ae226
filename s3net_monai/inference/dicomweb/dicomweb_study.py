"""A study on a DICOMweb server as the input of a run, and as the place where its masks go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.inference.discovery.cases import Discovery
from s3net_monai.inference.discovery.find_cases import find_cases
from s3net_monai.inference.discovery.series_selection import Selection
from s3net_monai.inference.report.html_report import write_html_report
from s3net_monai.inference.report.report import Report

STORABLE = ("dicomseg", "dicomseg-labelmap")


def with_storable(formats: Iterable[str]) -> tuple[str, ...]:
    """The formats, with DICOM SEG added where none of them can be stored on a server."""
    formats = tuple(formats)
    return formats if set(formats) & set(STORABLE) else (*formats, STORABLE[0])


def find_study_cases(
    url: str, study: str, task: str, scratch: Path, rules: Selection, keep_identifiers: bool
) -> Discovery:
    """Fetch a study into ``scratch`` and find the cases in it.

    Cases are named by a hash of the StudyInstanceUID, so that masks of several studies can lie in one folder.

    Raises:
        UsageError: when the server or the study cannot be used.
    """
    name = f"study-{hashlib.sha256(study.encode()).hexdigest()[:8]}"
    folder = scratch / name
    fetched = fetch_study(url, study, folder, task)
    found = find_cases([folder], rules=rules, keep_identifiers=keep_identifiers)
    cases = tuple(
        replace(case, case_id=f"{name}_{case.case_id}", input=case.input.relative_to(scratch))
        for case in (*found.cases, *fetched.unusable)
    )
    excluded = (replace(each, input=each.input.replace(f"{scratch}/", "")) for each in found.excluded)
    return replace(found, cases=cases, excluded=(*fetched.excluded, *excluded))


def store_masks(url: str, report: Report, output: Path) -> None:
    """Store the run's DICOM SEG files on the server; a case whose mask was not taken becomes a failed one.

    The mask itself stays on disk. Masks of an earlier run go there as well, since that may have ended before it stored
    them; a server keeps an instance that it has.

    Raises:
        UsageError: for an unusable address or credentials.
    """
    owners = {
        output / entry.outputs[name]: entry
        for entry in report.cases.values()
        if entry.status != "failed"
        for name in STORABLE
        if name in entry.outputs
    }
    problems = store_files(url, owners)
    for path, problem in problems.items():
        owners[path].status, owners[path].reason = "failed", problem
    if problems:
        write_html_report(report.write(output), output)
