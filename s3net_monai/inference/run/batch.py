"""Many cases: reading, inference and writing overlap, a bad case fails alone, and the report is always valid."""

from __future__ import annotations

import glob
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.discovery.find_cases import Case, ExcludedSeries
from s3net_monai.inference.discovery.identifiers import redact, reported_input
from s3net_monai.inference.report.html_report import write_html_report
from s3net_monai.inference.report.report import CaseReport, Report, Status, read_report
from s3net_monai.inference.run.fingerprint import fingerprint
from s3net_monai.inference.run.outputs import OutputWriter, finish
from s3net_monai.inference.run.prefetch import LoadedCase, load_cases
from s3net_monai.inference.run.run_lock import run_lock
from s3net_monai.inference.run.segmenter import infer_sample
from s3net_monai.inference.run.validate_input import failure_reason
from s3net_monai.io import CaseError
from s3net_monai.utils.atomic import remove_partial

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
        allow: irregular series that are resampled rather than refused, as the bundle was loaded.
    """

    formats: tuple[str, ...] = ()
    mode: str = "amortized"
    workers: int = 1
    resume: bool = False
    shard: tuple[int, int] = (1, 1)
    allow: tuple[str, ...] = ()


def run_batch(
    cases: Sequence[Case], bundle: Bundle, output: Path, settings: Settings, excluded: Sequence[ExcludedSeries] = ()
) -> Report:
    """Segment the cases of this shard into ``output``; the returned report is on disk as well, and a page of it.

    While the network has one case, the next is read by a worker process and the one before is written by a thread, so
    that memory holds three cases at most (with more workers, one more each). Ctrl-C ends the run early: cases not
    finished are reported as skipped. With ``resume`` a case is skipped when its entry in the existing report is
    complete, its files exist, and the hash of its input, the model and the settings is the same. Shards of one run
    share ``output`` and its report.

    Args:
        passed_over: the series of the input that were not taken, for the report.

    Raises:
        UsageError: while another run, that is no shard of the same, writes into ``output``.
    """
    output.mkdir(parents=True, exist_ok=True)
    index, count = settings.shard
    own = list(cases[index - 1 :: count])
    report = Report(
        task=bundle.task,
        model={
            "name": bundle.name,
            "version": bundle.version,
            "sha256": bundle.sha256,
            "config_sha256": bundle.config_sha256,
        },
        settings={
            "formats": list(settings.formats),
            "mode": settings.mode,
            "allow": list(settings.allow),
            "device": str(bundle.device),
        },
        excluded=[asdict(series) for series in excluded],
        other_shards=frozenset(case.case_id for case in cases) - {case.case_id for case in own},
    )
    finishing = OutputWriter(bundle, output, settings.formats, settings.allow)
    with run_lock(output, is_shard=count > 1), _kept_report(report, own, output):
        if count == 1:
            remove_partial(output)
        todo = _not_done(own, report, output) if settings.resume else own
        _run(todo, finishing, settings.workers, report)
    return report


def _not_done(cases: Sequence[Case], report: Report, output: Path) -> list[Case]:
    """The cases that are not complete and unchanged; the others are added to the report as they were."""
    earlier = read_report(output)
    if earlier is None:
        return list(cases)
    todo: list[Case] = []
    compared = 0
    try:
        for case in tqdm(cases, desc="comparing with the earlier run", unit="case", file=sys.stderr, leave=False):
            entry = earlier.cases.get(case.case_id)
            if entry is not None and _is_complete(entry, case, report.basis(), output):
                report.add(replace(entry, status="skipped", reason=DONE_BEFORE))
            else:
                todo.append(case)
            compared += 1
    except KeyboardInterrupt:  # the next run compares the rest
        for case in cases[compared:]:
            if case.case_id in earlier.cases:
                report.add(replace(earlier.cases[case.case_id], status="skipped", reason=INTERRUPTED))
        raise
    return todo


def _is_complete(entry: CaseReport, case: Case, basis: dict[str, Any], output: Path) -> bool:
    if entry.status == "failed" or not entry.outputs:
        return False
    if not all((output / name).is_file() for name in entry.outputs.values()):
        return False
    try:
        return entry.fingerprint == fingerprint(case, basis)
    except (OSError, CaseError):  # the reader says what is wrong
        return False


@contextmanager
def _kept_report(report: Report, cases: Sequence[Case], output: Path) -> Iterator[None]:
    """Whatever ends the run, its report is written with an entry for every case, and Ctrl-C is no error."""
    started = time.perf_counter()
    try:
        yield
    except KeyboardInterrupt:
        report.interrupted = True
        for case in cases:
            if case.case_id not in report.cases:
                report.add(_entry(case, "skipped", INTERRUPTED))
    finally:
        report.seconds = time.perf_counter() - started
        write_html_report(report.write(output), output)


def _run(todo: Sequence[Case], finishing: OutputWriter, workers: int, report: Report) -> None:
    last_write = time.perf_counter()
    waiting: list[Callable[[], CaseReport]] = []
    basis = report.basis()
    with (
        tqdm(total=len(todo), unit="case", file=sys.stderr, smoothing=0.1) as progress,
        ThreadPoolExecutor(max_workers=1) as writer,
    ):

        def collect(keep: int) -> None:
            nonlocal last_write
            while len(waiting) > keep:
                entry = _with_total(waiting[0]())
                waiting.pop(0)
                if entry.status == "failed":
                    entry.warnings = _left_from_before(entry.case_id, finishing.output)
                report.add(entry)
                progress.update()
                for line in [f"failed: {entry.reason}"] if entry.reason else entry.warnings:
                    progress.write(f"{entry.case_id}: {line}", file=sys.stderr)
            if time.perf_counter() - last_write > REPORT_INTERVAL:
                with suppress(OSError):  # a share may come back; if not, the report at the end says so
                    report.write(finishing.output)
                last_write = time.perf_counter()

        try:
            for loaded in load_cases(todo, finishing.bundle, workers, basis):
                waiting.append(_infer(loaded, finishing, writer))
                collect(keep=1)
        finally:  # after Ctrl-C, too, what has a mask is written
            collect(keep=0)


def _infer(loaded: LoadedCase, finishing: OutputWriter, writer: ThreadPoolExecutor) -> Callable[[], CaseReport]:
    """Segment one loaded case and hand it to the writer; whatever inference raises becomes the case's reason.

    Returns:
        A function that waits for the entry.
    """
    case = loaded.case
    entry = _entry(case, "failed", loaded.problem)
    entry.fingerprint = loaded.fingerprint
    entry.seconds = {"read": loaded.seconds, "infer": 0.0, "write": 0.0}
    if loaded.sample is None:
        return lambda: entry
    source = loaded.sample.pop("source")
    started = time.perf_counter()
    try:
        segmentation = infer_sample(loaded.sample, finishing.bundle)
    except Exception as error:  # isolation is the point: no case may end the batch
        entry.reason = failure_reason(error, case)
        return lambda: entry
    finally:
        entry.seconds["infer"] = time.perf_counter() - started
        loaded.sample = None  # writing does not need the preprocessed image, and a volume is large
    return writer.submit(finish, entry, case, segmentation, source, finishing).result


def _entry(case: Case, status: Status, reason: str) -> CaseReport:
    return CaseReport(
        case.case_id, reported_input(case), status, reason, selection=redact(case.selection, case.identifiers)
    )


def _left_from_before(case_id: str, output: Path) -> list[str]:
    """What a reader of the folder could take for the mask of a case that failed."""
    left = sorted(path.name for path in output.glob(f"{glob.escape(case_id)}_seg.*"))
    return [f"{', '.join(left)}: of an earlier run, not of this one"] if left else []


def _with_total(entry: CaseReport) -> CaseReport:
    seconds = {name: round(value, 3) for name, value in entry.seconds.items()}
    return replace(entry, seconds={**seconds, "total": round(sum(entry.seconds.values()), 3)})
