"""Many cases, one after the other: a bad one fails alone, and the report is always valid."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.checks import failure_reason
from s3net_monai.inference.discovery import Case
from s3net_monai.inference.measures import measures
from s3net_monai.inference.prefetch import LoadedCase, load_cases
from s3net_monai.inference.report import CaseReport, Report, read_report
from s3net_monai.inference.segmenter import Segmentation, infer_sample
from s3net_monai.io import CaseError, Mask, write_mask

REPORT_INTERVAL = 2.0  # seconds between rewrites of the report: what a killed run loses at most
DONE_BEFORE = "complete in an earlier run"
INTERRUPTED = "interrupted before it was finished"


@dataclass(frozen=True)
class Settings:
    """What a user chose for a run.

    Attributes:
        formats: output formats; none means PNG for pictures and NIfTI for volumes.
        mode: "amortized" or "per-image", as the bundle was loaded.
        workers: processes that read ahead.
        resume: skip what is complete and unchanged.
        shard: (I, N): of all cases only every N-th from the I-th, counted from 1.
    """

    formats: tuple[str, ...] = ()
    mode: str = "amortized"
    workers: int = 0
    resume: bool = False
    shard: tuple[int, int] = (1, 1)


def run_batch(cases: Sequence[Case], bundle: Bundle, output: Path, settings: Settings) -> Report:
    """Segment the cases of this shard into ``output``; the returned report is on disk as well.

    Ctrl-C ends the run early: cases not finished are reported as skipped. With ``resume`` a case is skipped when its
    entry in the existing report is complete, its files exist, its input is not newer than they are, and model and
    settings are the same. Shards of one run share ``output`` and its report.
    """
    output.mkdir(parents=True, exist_ok=True)
    index, count = settings.shard
    own = list(cases[index - 1 :: count])
    report = Report(
        task=bundle.task,
        model={"name": bundle.name, "version": bundle.version, "sha256": bundle.sha256},
        settings={"formats": list(settings.formats), "mode": settings.mode, "device": str(bundle.device)},
        other_shards=frozenset(case.case_id for case in cases) - {case.case_id for case in own},
    )
    todo = own
    earlier = read_report(output) if settings.resume else None
    if earlier is not None and earlier.comparable() == report.comparable():
        todo = []
        for case in own:
            entry = earlier.cases.get(case.case_id)
            if entry is not None and _is_complete(entry, case, output):
                report.add(replace(entry, status="skipped", reason=DONE_BEFORE))
            else:
                todo.append(case)
    _run(todo, bundle, output, settings, report)
    return report


def _is_complete(entry: CaseReport, case: Case, output: Path) -> bool:
    if entry.status == "failed" or not entry.outputs or entry.input != str(case.input):
        return False
    files = [output / name for name in entry.outputs.values()]
    if not all(file.is_file() for file in files):
        return False
    sources = [file for path in case.image for file in (path.iterdir() if path.is_dir() else [path])]
    return max(path.stat().st_mtime for path in sources) <= min(file.stat().st_mtime for file in files)


def _run(todo: Sequence[Case], bundle: Bundle, output: Path, settings: Settings, report: Report) -> None:
    started = last_write = time.perf_counter()
    progress = tqdm(load_cases(todo, bundle, settings.workers), total=len(todo), unit="case", file=sys.stderr)
    try:
        with progress:
            for loaded in progress:
                entry = _segment(loaded, bundle, output, settings.formats)
                if entry.reason:
                    progress.write(f"{entry.status}: {entry.reason}", file=sys.stderr)
                report.add(entry)
                report.seconds = time.perf_counter() - started
                if time.perf_counter() - last_write > REPORT_INTERVAL:
                    report.write(output)
                    last_write = time.perf_counter()
    except KeyboardInterrupt:
        for case in todo:
            if case.case_id not in report.cases:
                report.add(CaseReport(case.case_id, str(case.input), "skipped", INTERRUPTED))
        report.interrupted = True
    finally:
        report.seconds = time.perf_counter() - started
        report.write(output)


def _segment(loaded: LoadedCase, bundle: Bundle, output: Path, formats: Sequence[str]) -> CaseReport:
    """Infer and write one loaded case; whatever it raises becomes its reason."""
    case = loaded.case
    entry = CaseReport(case.case_id, str(case.input), reason=loaded.problem)
    seconds = {"read": loaded.seconds}
    if loaded.sample is not None:
        phase, started = "infer", time.perf_counter()
        try:
            segmentation = infer_sample(loaded.sample, bundle)
            loaded.sample = None  # writing does not need the image, and a volume is large
            seconds["infer"] = time.perf_counter() - started
            phase, started = "write", time.perf_counter()
            entry.measures = measures(segmentation.mask, segmentation.affine, bundle.labels)
            entry.consistency = segmentation.consistency
            entry.outputs, notes = _write(segmentation, case, bundle, output, formats)
            entry.status, entry.reason = "ok", "; ".join(notes) or None
        except Exception as error:  # isolation is the point: no case may end the batch
            entry.reason = failure_reason(error, case)
        seconds[phase] = time.perf_counter() - started
    entry.seconds = {name: round(seconds.get(name, 0.0), 3) for name in ("read", "infer", "write")}
    entry.seconds["total"] = round(sum(seconds.values()), 3)
    return entry


def _write(
    segmentation: Segmentation, case: Case, bundle: Bundle, output: Path, formats: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Write every format that can hold the mask; what could not be written, or is odd, comes back as notes.

    Raises:
        CaseError: when no format could be written.
    """
    mask = Mask(segmentation.mask, segmentation.affine, case.image, bundle.labels, bundle.name, bundle.version)
    outputs: dict[str, str] = {}
    notes: list[str] = []
    for name in formats or ("png" if case.kind == "picture" else "nifti",):
        try:
            outputs[name] = write_mask(mask, output, case.case_id, name).name
        except CaseError as error:
            notes.append(f"no {name} written: {error}")
    if not outputs:
        raise CaseError("; ".join(notes))
    if not segmentation.mask.any():
        notes.insert(0, f"{case.input.name}: the mask is empty, look at this case")
    return outputs, notes
