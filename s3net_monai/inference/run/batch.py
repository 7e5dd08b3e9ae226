"""Segmentation of many cases in one run.

Reading, inference and writing overlap, a bad case fails alone, and the report is always valid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.discovery.find_cases import Case, ExcludedSeries
from s3net_monai.inference.report.html_report import write_html_report
from s3net_monai.inference.report.report import CaseReport, Report, Status, read_report
from s3net_monai.inference.run.agreement import check_agreement, check_pseudonyms
from s3net_monai.inference.run.earlier_run import check_output, mask_names, named, of_other_cases, stale_mask_warnings
from s3net_monai.inference.run.fingerprint import FileStates
from s3net_monai.inference.run.outputs import OutputWriter
from s3net_monai.inference.run.prefetch import LoadedCase, load_cases
from s3net_monai.inference.run.resume import INTERRUPTED, unfinished_cases
from s3net_monai.inference.run.run_lock import run_lock
from s3net_monai.inference.run.segment_loaded import readers_segment, segment_loaded
from s3net_monai.inference.run.segmenter import Segmentation, SourceImage
from s3net_monai.inference.run.shown_entry import shown_entry
from s3net_monai.inference.run.storage import StorageError, output_storage_error, passing_errors
from s3net_monai.labels import Label
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.output_paths import is_full
from s3net_monai.utils.printing import print_note, progress_bar
from s3net_monai.utils.pseudonyms import Pseudonyms
from s3net_monai.utils.scratch import scratch_folder

REPORT_INTERVAL = 2.0  # seconds between writes of the report: a killed run loses no more


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a user chose for a run.

    Attributes:
        formats: output formats; none means PNG for 2-D images and NIfTI for volumes.
        mode: "amortized" or "per-image", as the bundle was loaded.
        workers: processes that read ahead.
        resume: continue an earlier run: leave cases that are complete and unchanged as they are.
        overwrite: masks of an earlier run may be overwritten.
        shard: (I, N): only every N-th case from the I-th, counted from 1.
        allow: irregular series that are repaired instead of refused, as the bundle was loaded.
    """

    formats: tuple[str, ...] = ()
    mode: str = "amortized"
    workers: int = 1
    resume: bool = False
    overwrite: bool = False
    shard: tuple[int, int] = (1, 1)
    allow: tuple[str, ...] = ()


def run_batch(
    cases: Sequence[Case],
    bundle: Bundle,
    output: Path,
    *,
    settings: Settings,
    excluded: Sequence[ExcludedSeries] = (),
    pseudonyms: Pseudonyms | None = None,
) -> Report:
    """Segment the cases of this shard into ``output`` and write the report and its page there.

    While the network has one case, a worker process reads the next and a thread writes the previous one; several
    small cases (``readers_segment``) are read and segmented by one process more than there are workers. Either way
    memory holds at most three cases, and one more for each further worker. Ctrl-C and a full disk end the run early:
    unfinished cases are reported as skipped. With ``resume`` a case is left as it is when its entry in the existing
    report is complete, its files are as they were written, and the hash of its input, the model and the settings is the
    same. Shards of one run share ``output`` and its report.

    Args:
        cases: all cases of the run, the same for every shard.
        bundle: what segments them.
        output: folder for masks, previews and the report.
        settings: what the user chose.
        excluded: the series of the input that were not selected, for the report.
        pseudonyms: those of ``find_cases``; None for those of the user's own secret.

    Returns:
        The report of this shard's cases.

    Raises:
        UsageError: while another run, that is no other shard of the same, writes into ``output``; when masks are there
            that neither ``resume`` nor ``overwrite`` allows to replace; when the report there is of shards with other
            settings or cases; and when ``output`` cannot be written to.
        OSError: when the disk of ``output`` is full before the first case.
    """
    pseudonyms = pseudonyms or Pseudonyms()
    first, step = settings.shard
    own_cases = list(cases[first - 1 :: step])
    own_ids = None if step == 1 else {case.case_id for case in own_cases}
    check_output(output, resume=settings.resume, overwrite=settings.overwrite, case_ids=own_ids)
    output.mkdir(parents=True, exist_ok=True)
    report = Report(
        task=bundle.task.name,
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
        labels=[_as_json(label) for label in bundle.task.labels],
        excluded=[asdict(series) for series in excluded],
        shards=step,
        case_ids=tuple(case.case_id for case in cases),
        other_shards=frozenset(case.case_id for case in cases) - {case.case_id for case in own_cases},
        pseudonyms=pseudonyms.check,
    )
    writer = OutputWriter(bundle=bundle, output=output, formats=settings.formats, allow=settings.allow)

    def begin(others_run: bool) -> None:
        earlier = read_report(output)
        if earlier is not None:
            may_replace = settings.overwrite and not others_run
            if settings.resume or (step > 1 and not may_replace):
                check_pseudonyms(earlier, report, output)
            if step > 1 and not may_replace:
                check_agreement(earlier, report, output, others_run=others_run)
        try:
            report.begin(output, resume=settings.resume)
        except OSError as error:  # a network drive may come back; if not, the write at the end reports it
            if is_full(error):
                raise

    with run_lock(output, settings.shard, begin), _report_written_at_end(report, own_cases, output, pseudonyms):
        unfinished = unfinished_cases(own_cases, report, output) if settings.resume else own_cases
        _run(unfinished, writer, settings.workers, report, pseudonyms)
    return report


def _as_json(label: Label) -> dict[str, Any]:
    return {**asdict(label), "rgb": list(label.rgb)}  # a list compares equal after it was stored


@contextmanager
def _report_written_at_end(
    report: Report, cases: Sequence[Case], output: Path, pseudonyms: Pseudonyms
) -> Iterator[None]:
    """Write the report with an entry for every case, whatever ends the run; Ctrl-C and a full disk are no errors."""
    started = time.perf_counter()
    ending: StorageError | None = None
    reason = INTERRUPTED
    try:
        yield
    except KeyboardInterrupt:
        report.interrupted = True
    except StorageError as error:
        ending, report.interrupted, reason = error, True, error.reason
    finally:
        if report.interrupted:
            for case in cases:
                if case.case_id not in report.cases:
                    report.add(shown_entry(_entry(case, "skipped", reason), case, pseudonyms))
        report.pseudonyms = pseudonyms.check
        report.seconds = time.perf_counter() - started
        try:
            report.left = of_other_cases(output, report.other_shards | {case.case_id for case in cases})
            write_html_report(report.write(output), output)
        except OSError as error:
            ending = ending or output_storage_error(error, output)
            if ending is None:
                raise
            report.interrupted = True
        if report.left:
            remedy = "they are of cases that are not in this run; move them away"
            print_note(f"{output}: {named(report.left)} left from an earlier run: {remedy}")
        if ending is not None:
            print_note(str(ending))


def _run(cases: Sequence[Case], writer: OutputWriter, workers: int, report: Report, pseudonyms: Pseudonyms) -> None:
    last_write = time.perf_counter()
    earlier = mask_names(writer.output)
    pending: list[tuple[Case, Callable[[], CaseReport]]] = []
    mode = report.settings["mode"]
    in_readers = readers_segment(writer.bundle, mode=mode, workers=workers, num_cases=len(cases))
    with (
        progress_bar(total=len(cases), unit="case", smoothing=0.1) as progress,
        _room_for_images(cases) as scratch,
        ThreadPoolExecutor(max_workers=1, initializer=torch.set_num_threads, initargs=(1,)) as thread,
    ):

        def collect(*, max_pending: int) -> None:
            nonlocal last_write
            while len(pending) > max_pending:
                case, finished = pending[0]
                try:
                    entry = shown_entry(_with_total_seconds(finished()), case, pseudonyms)
                except StorageError:
                    pending.pop(0)
                    raise
                pending.pop(0)
                entry.warnings += stale_mask_warnings(entry.case_id, writer.output, entry.outputs.values(), earlier)
                report.add(entry)
                progress.update()
                for line in [f"failed: {entry.reason}"] if entry.reason else entry.warnings:
                    print_note(f"{entry.case_id}: {line}")
            if time.perf_counter() - last_write > REPORT_INTERVAL:
                with passing_errors(writer.output):
                    report.write(writer.output)
                last_write = time.perf_counter()

        try:
            loading = load_cases(
                cases,
                writer.bundle,
                workers=workers + in_readers,
                configuration=report.configuration(),
                before_fork=lambda: collect(max_pending=0),
                scratch=scratch,
                then=partial(segment_loaded, bundle=writer.bundle) if in_readers else None,
            )
            with closing(loading):  # ends the workers
                for loaded in loading:
                    pending.append((loaded.case, _infer(loaded, writer, thread)))
                    collect(max_pending=0 if in_readers else 1)
        finally:  # after Ctrl-C, too, the masks that exist are written
            collect(max_pending=0)


@contextmanager
def _room_for_images(cases: Sequence[Case]) -> Iterator[Path | None]:
    """Yield a folder for the values of CT series while they are needed; None where there is none: memory holds them."""
    with ExitStack() as stack:
        scratch = None
        if any(case.kind == "dicom_series" for case in cases):
            with suppress(UsageError, OSError):
                scratch = stack.enter_context(scratch_folder())
        yield scratch


def _infer(loaded: LoadedCase, writer: OutputWriter, thread: ThreadPoolExecutor) -> Callable[[], CaseReport]:
    """Segment one loaded case, where its reader has not, and submit it for writing.

    Returns:
        A function that waits for the entry.

    Raises:
        StorageError: when no other case could be read either.
    """
    case = loaded.case
    if loaded.storage_error is not None:
        raise loaded.storage_error
    segmented = segment_loaded(loaded, writer.bundle)
    entry = _entry(case, "failed", segmented.problem)
    entry.fingerprint = segmented.fingerprint
    entry.seconds = {"read": segmented.seconds, "infer": segmented.infer_seconds, "write": 0.0}
    segmentation, source = segmented.segmentation, segmented.source
    if segmentation is None or source is None:
        return lambda: entry
    return thread.submit(_write, writer, entry, case, segmentation, source, segmented.file_states).result


def _write(
    writer: OutputWriter,
    entry: CaseReport,
    case: Case,
    segmentation: Segmentation,
    source: SourceImage,
    file_states: FileStates,
) -> CaseReport:
    try:
        return writer.write_case(entry, case, segmentation=segmentation, source=source, file_states=file_states)
    finally:
        source.remove()


def _entry(case: Case, status: Status, reason: str) -> CaseReport:
    return CaseReport(
        case_id=case.case_id, input=str(case.input), status=status, reason=reason, selection=case.selection
    )


def _with_total_seconds(entry: CaseReport) -> CaseReport:
    seconds = {name: round(value, 3) for name, value in entry.seconds.items()}
    return replace(entry, seconds={**seconds, "total": round(sum(entry.seconds.values()), 3)})
