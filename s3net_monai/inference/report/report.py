"""``report.json``: what happened to every case of a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import s3net_monai
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.locks import exclusive_lock

SCHEMA_VERSION = 2
REPORT_NAME = "report.json"
LOCK_NAME = ".report.lock"

Status = Literal["ok", "failed", "skipped"]
STATUSES: tuple[Status, ...] = ("ok", "failed", "skipped")


@dataclass
class CaseReport:
    """One entry of ``cases``.

    Attributes:
        outputs: format name -> path relative to the report.
        reason: why the case failed or was skipped; None for one that succeeded.
        warnings: what to look at in a case that succeeded.
        notes: what was asked for and does not apply to this kind of input, such as DICOM SEG for a NIfTI file; and what
            a number may not mean.
        seconds: of "read", "infer", "write" and "total".
        consistency: agreement of the mask with those of transformed copies, 0 to 1; None where it was not measured.
        selection: why this series was taken where a study held several.
        fingerprint: of the input's content, the model and the settings; what ``--resume`` compares.
    """

    case_id: str
    input: str
    status: Status = "failed"
    reason: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    measures: dict[str, Any] = field(default_factory=dict)
    consistency: float | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    selection: str = ""
    fingerprint: str = ""


@dataclass
class Report:
    """A run: task, model (name, version, sha256), settings, cases by id, and the series that were not taken.

    ``other_shards`` are the ids of cases that other processes segment into the same folder: their entries in the file
    are left as they are.
    """

    task: str
    model: dict[str, str]
    settings: dict[str, Any]
    cases: dict[str, CaseReport] = field(default_factory=dict)
    excluded: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False
    other_shards: frozenset[str] = frozenset()

    def add(self, case: CaseReport) -> None:
        """Add the entry of a case."""
        self.cases[case.case_id] = case

    def count(self, status: Status) -> int:
        """How many cases have this status."""
        return sum(case.status == status for case in self.cases.values())

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "package_version": s3net_monai.__version__,
            "task": self.task,
            "model": self.model,
            "settings": self.settings,
            "cases": [asdict(case) for case in self.cases.values()],
            "excluded": self.excluded,
            "summary": {**{status: self.count(status) for status in STATUSES}, "seconds": round(self.seconds, 3)},
            "interrupted": self.interrupted,
        }

    def basis(self) -> dict[str, Any]:
        """What, beside the input, must be equal for a mask of one run to stand for that of another."""
        settings = {key: value for key, value in self.settings.items() if key != "device"}
        return {"task": self.task, "model": self.model, "settings": settings}

    def write(self, folder: Path) -> dict[str, Any]:
        """Write ``report.json`` into ``folder``, whole or not at all, and return what was written."""
        with exclusive_lock(folder / LOCK_NAME):  # shards read, merge and write the same report
            merged = replace(self, cases=dict(self.cases))
            others = read_report(folder) if self.other_shards else None
            if others is not None and others.basis() == self.basis():
                for case in others.cases.values():
                    if case.case_id in self.other_shards:
                        merged.add(case)
            written = merged.as_dict()
            with atomic_path(folder / REPORT_NAME) as temporary:
                temporary.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
        return written


def read_report(folder: Path) -> Report | None:
    """The report of an earlier run, or None where there is none that this version understands."""
    try:
        stored = json.loads((folder / REPORT_NAME).read_text(encoding="utf-8"))
        if stored["schema_version"] != SCHEMA_VERSION:
            return None
        cases = [CaseReport(**case) for case in stored["cases"]]
        report = Report(stored["task"], stored["model"], stored["settings"], {case.case_id: case for case in cases})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report
