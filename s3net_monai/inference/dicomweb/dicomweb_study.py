"""Studies on a DICOMweb server as the input of a run and the destination of its masks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.inference.discovery.cases import Discovery
from s3net_monai.inference.discovery.find_cases import find_cases
from s3net_monai.inference.discovery.series_selection import Selection
from s3net_monai.inference.discovery.spellings import meaning_of
from s3net_monai.inference.report.html_report import write_html_report
from s3net_monai.inference.report.report import Report
from s3net_monai.utils.pseudonyms import Pseudonyms

STORABLE_FORMATS = ("dicomseg", "dicomseg-labelmap")


def with_storable(formats: Iterable[str]) -> tuple[str, ...]:
    """Return the formats, with DICOM SEG added if none of them can be stored on a server."""
    formats = tuple(formats)
    return formats if set(formats) & set(STORABLE_FORMATS) else (*formats, STORABLE_FORMATS[0])


def find_study_cases(
    url: str,
    study: str,
    *,
    task: str,
    modality: str,
    scratch: Path,
    rules: Selection | None,
    keep_identifiers: bool,
    pseudonyms: Pseudonyms,
) -> Discovery:
    """Fetch a study and find the cases in it.

    Cases are named by the pseudonym of the StudyInstanceUID, so that one folder can hold the masks of several studies.

    Args:
        url: root of the server's DICOMweb services.
        study: StudyInstanceUID.
        task: name of the task, which decides which series are fetched.
        modality: of the bundle's images, as for ``find_cases``.
        scratch: folder for the files, which must outlive the cases.
        rules: which series to select; None for the default of the task.
        keep_identifiers: whether patient identifiers may stay in names and texts.
        pseudonyms: what replaces them.

    Raises:
        UsageError: when the server or the study cannot be used.
    """
    name = f"study-{study if keep_identifiers else pseudonyms.of(meaning_of(study), study)}"
    folder = scratch / name
    fetched = fetch_study(url, study, folder=folder, task=task)
    discovery = find_cases(
        [folder], modality=modality, rules=rules, keep_identifiers=keep_identifiers, pseudonyms=pseudonyms
    )
    cases = tuple(
        replace(case, case_id=f"{name}_{case.case_id}", input=case.input.relative_to(scratch))
        for case in (*discovery.cases, *fetched.unusable)
    )
    excluded = (replace(series, input=series.input.replace(f"{scratch}/", "")) for series in discovery.excluded)
    return replace(discovery, cases=cases, excluded=(*fetched.excluded, *excluded))


def store_masks(url: str, report: Report, output: Path) -> None:
    """Store the run's DICOM SEG files on the server, and mark a case as failed if its mask is refused.

    The mask itself stays on disk. Masks of an earlier run are stored as well, since that run may have ended before it
    stored them; the server ignores an instance that it already has.

    Raises:
        UsageError: for an unusable address or credentials.
    """
    entries = {
        output / entry.outputs[name]: entry
        for entry in report.cases.values()
        if entry.status != "failed"
        for name in STORABLE_FORMATS
        if name in entry.outputs
    }
    problems = store_files(url, entries)
    for path, problem in problems.items():
        entries[path].status, entries[path].reason = "failed", problem
    if problems:
        write_html_report(report.write(output), output)
