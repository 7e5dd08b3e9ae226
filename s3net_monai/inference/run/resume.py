"""What a run takes over from the earlier one that it continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.report.report import CaseReport, Report, read_report
from s3net_monai.inference.run.earlier_run import changed_files, named, set_aside
from s3net_monai.inference.run.fingerprint import fingerprint
from s3net_monai.inference.run.storage import passing_errors
from s3net_monai.io import CaseError
from s3net_monai.utils.printing import print_note, progress_bar

DONE_BEFORE = "complete from an earlier run"
INTERRUPTED = "interrupted before it was finished"


def unfinished_cases(cases: Sequence[Case], report: Report, output: Path) -> list[Case]:
    """Return the cases that an earlier run did not complete or that changed; add the others to the report.

    Args:
        cases: of this shard or run.
        report: of this run.
        output: its folder, with the report of the earlier run.

    Raises:
        StorageError: when the disk of ``output`` is full.
    """
    earlier = read_report(output)
    if earlier is None:
        return list(cases)
    if earlier.cases and earlier.configuration() != report.configuration():
        print_note("another model or other settings than in the earlier run: all cases are repeated")
    unfinished: list[Case] = []
    num_compared = 0
    try:
        for case in progress_bar(cases, description="comparing with the earlier run", unit="case", leave=False):
            entry = earlier.cases.get(case.case_id)
            if entry is not None and _is_complete(entry, case, report.configuration(), output):
                report.add(replace(entry, status="complete", reason=DONE_BEFORE))
            else:
                unfinished.append(case)
            num_compared += 1
    except KeyboardInterrupt:  # the next run compares the other cases
        for case in cases[num_compared:]:
            if case.case_id in earlier.cases:
                report.add(replace(earlier.cases[case.case_id], status="skipped", reason=INTERRUPTED))
        raise
    if unfinished:  # an entry that stays would not fit the files of a case that is repeated and then killed
        with passing_errors(output):
            report.write(output)
    return unfinished


def _is_complete(entry: CaseReport, case: Case, configuration: dict[str, Any], output: Path) -> bool:
    if entry.status == "failed" or not entry.outputs:
        return False
    changed = changed_files(entry, output)
    if changed:
        kept = set_aside(output, changed)
        found = f"{named(changed)} not as the earlier run wrote {'it' if len(changed) == 1 else 'them'}"
        others = f", kept as {named(kept)}" if kept else ""
        print_note(f"{case.case_id}: {found}{others}: the case is repeated")
        return False
    try:
        return entry.fingerprint == fingerprint(case, configuration)
    except (OSError, CaseError):  # the reader says what is wrong
        return False
