"""The entry of a case as it may be shown: the one gate between texts about a case and the report, the page and logs."""

from __future__ import annotations

from dataclasses import replace

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.identifiers import redact_message, reported_input
from s3net_monai.inference.report.report import CaseReport
from s3net_monai.inference.run.validate_input import MAX_REASON
from s3net_monai.utils.messages import one_line
from s3net_monai.utils.pseudonyms import Pseudonyms


def shown_entry(entry: CaseReport, case: Case, pseudonyms: Pseudonyms) -> CaseReport:
    """Return the entry with pseudonyms in place of every identifier of the case.

    Args:
        entry: with its texts as readers and writers raised them.
        case: the case.
        pseudonyms: those of the run.
    """

    def shown(text: str) -> str:
        return redact_message(text, case, pseudonyms)

    return replace(
        entry,
        input=reported_input(case, pseudonyms),
        reason=one_line(shown(entry.reason), limit=MAX_REASON) if entry.reason else entry.reason,
        selection=shown(case.selection),
        warnings=[shown(warning) for warning in entry.warnings],
        notes=[shown(note) for note in entry.notes],
    )
