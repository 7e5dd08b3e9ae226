"""``report.json``: what happened to every case of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from s3net_monai.file_formats import REPORT_NAME
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.locks import exclusive_lock
from s3net_monai.version import __version__

SCHEMA_VERSION = 2
LOCK_NAME = ".report.lock"

Status = Literal["ok", "complete", "failed", "skipped"]
STATUSES: tuple[Status, ...] = ("ok", "complete", "failed", "skipped")


@dataclass(kw_only=True)
class CaseReport:
    """One entry of ``cases``.

    Attributes:
        case_id: identifier that names the outputs.
        input: the input as it may be shown, without identifiers of patients.
        status: "ok"; "complete" for one that an earlier run completed, and that ``--resume`` left as it is; "failed";
            or "skipped" for one that was not reached before the run was interrupted.
        reason: why the case is not "ok"; None for one that is.
        outputs: format name -> path relative to the report.
        files: name in ``outputs`` -> "bytes" and "sha256" of the file as it was written, which ``--resume`` compares.
        seconds: duration of "read", "infer", "write" and "total".
        measures: numbers about the mask, see ``measures.MEASURES``.
        consistency: agreement of the mask with those of transformed copies, 0 to 1; None where it was not measured.
        warnings: what to review in a case that succeeded.
        notes: what was requested and does not apply to this kind of input, such as DICOM SEG for a NIfTI file, and
            limits of what a number means.
        selection: why this series was selected where a study held several.
        fingerprint: hash of the input's content, the model and the settings, which ``--resume`` compares.
    """

    case_id: str
    input: str
    status: Status = "failed"
    reason: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    measures: dict[str, Any] = field(default_factory=dict)
    consistency: float | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    selection: str = ""
    fingerprint: str = ""


@dataclass(kw_only=True)
class Report:
    """The report of a run.

    Attributes:
        task: name of the task.
        model: name, version and hashes of the bundle.
        settings: what the user chose, by name.
        labels: the classes that a mask can hold, each with "value", "name", "rgb", "category" and "type".
        cases: the entries by case id.
        excluded: the series that were not selected, each with "input", "series" and "reason".
        left: names of masks and previews in the folder that belong to no case of the run.
        seconds: duration of the run.
        interrupted: whether Ctrl-C or a full disk ended the run before its last case.
        shards: number of processes that share the cases and the folder.
        case_ids: of all cases of all shards, in the order of the report.
        other_shards: ids of cases that other processes segment into the same folder. Their entries in the file are left
            as they are.
        pseudonyms: check value of the secret of the run's pseudonyms; empty where it has none.
        num_cases: number of the cases of all shards.
        cases_sha256: hash of their ids.
    """

    task: str
    model: dict[str, str]
    settings: dict[str, Any]
    labels: list[dict[str, Any]] = field(default_factory=list)
    cases: dict[str, CaseReport] = field(default_factory=dict)
    excluded: list[dict[str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False
    shards: int = 1
    case_ids: tuple[str, ...] = ()
    other_shards: frozenset[str] = frozenset()
    pseudonyms: str = ""
    num_cases: int = 0
    cases_sha256: str = ""

    def __post_init__(self) -> None:
        if self.case_ids:
            self.num_cases = len(self.case_ids)
            self.cases_sha256 = sha256("\n".join(sorted(self.case_ids)).encode()).hexdigest()

    def add(self, case: CaseReport) -> None:
        """Add the entry of a case."""
        self.cases[case.case_id] = case

    def count(self, status: Status) -> int:
        """Return the number of cases with this status."""
        return sum(case.status == status for case in self.cases.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as ``report.json`` stores it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "package_version": __version__,
            "task": self.task,
            "model": self.model,
            "settings": self.settings,
            "run": {"shards": self.shards, "cases": self.num_cases, "cases_sha256": self.cases_sha256},
            "pseudonyms": self.pseudonyms,
            "labels": self.labels,
            "cases": [dict(vars(case)) for case in self.cases.values()],  # asdict takes longer than writing them
            "excluded": self.excluded,
            "left": self.left,
            "summary": {**{status: self.count(status) for status in STATUSES}, "seconds": round(self.seconds, 3)},
            "interrupted": self.interrupted,
        }

    def configuration(self) -> dict[str, Any]:
        """Return the model and settings, which two runs must share for one to reuse a mask of the other."""
        settings = {key: value for key, value in self.settings.items() if key != "device"}
        return {"task": self.task, "model": self.model, "settings": settings, "labels": self.labels}

    def write(self, folder: Path) -> dict[str, Any]:
        """Write ``report.json`` into ``folder``, whole or not at all, and return what was written."""
        with exclusive_lock(folder / LOCK_NAME):  # shards read, merge and write the same report
            return self._write_merged(folder, read_report(folder) if self.other_shards else None)

    def begin(self, folder: Path, *, resume: bool) -> None:
        """Write the report of a run that begins, so that a shard with another model or other settings notices it.

        Args:
            folder: of the run.
            resume: keep the report that the run continues.
        """
        with exclusive_lock(folder / LOCK_NAME):
            earlier = read_report(folder)
            if earlier is None or not resume:
                self._write_merged(folder, earlier if self.other_shards else None)

    def _write_merged(self, folder: Path, earlier: Report | None) -> dict[str, Any]:
        merged = replace(self, cases=dict(self.cases))
        if earlier is not None:
            merged.pseudonyms = self.pseudonyms or earlier.pseudonyms
        if earlier is not None and earlier.configuration() == self.configuration():
            for case in earlier.cases.values():
                if case.case_id in self.other_shards:
                    merged.add(case)
        place = {case_id: index for index, case_id in enumerate(self.case_ids)}
        merged.cases = dict(sorted(merged.cases.items(), key=lambda item: place.get(item[0], len(place))))
        written = merged.as_dict()
        with atomic_path(folder / REPORT_NAME) as temporary:
            temporary.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
        return written


def read_report(folder: Path) -> Report | None:
    """Read the report of an earlier run; None where there is none that this version understands.

    Raises:
        OSError: when there is one that cannot be read, as on a network drive that is gone: it may hold entries.
    """
    try:
        stored = json.loads((folder / REPORT_NAME).read_text(encoding="utf-8"))
        if stored["schema_version"] != SCHEMA_VERSION:
            return None
        cases = [CaseReport(**case) for case in stored["cases"]]
        if any(Path(name).name != name for case in cases for name in case.outputs.values()):
            return None  # no run wrote it: its files are beside the report
        run = stored.get("run", {})
        report = Report(
            task=stored["task"],
            model=stored["model"],
            settings=stored["settings"],
            labels=stored["labels"],
            pseudonyms=stored.get("pseudonyms", ""),
            cases={case.case_id: case for case in cases},
            shards=run.get("shards", 1),
            num_cases=run.get("cases", 0),
            cases_sha256=run.get("cases_sha256", ""),
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    return report
