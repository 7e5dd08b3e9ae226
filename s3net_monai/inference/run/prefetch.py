"""Reading ahead: worker processes load, preprocess and may segment the next cases while this one is busy."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.run.fingerprint import FileStates, change_of_input, file_states, fingerprint
from s3net_monai.inference.run.segmenter import Segmentation, SourceImage, read_case
from s3net_monai.inference.run.storage import StorageError, scratch_storage_error
from s3net_monai.inference.run.validate_input import failure_reason
from s3net_monai.io import CaseError
from s3net_monai.utils.signals import ENDING_SIGNALS

CAN_FORK = "fork" in multiprocessing.get_all_start_methods()  # not on Windows
READ_TIMEOUT = 1800.0  # seconds without a case: a decoder that hangs must not hold up an overnight run


@dataclass(kw_only=True)
class LoadedCase:
    """One case after reading.

    Attributes:
        case: the case.
        sample: the preprocessed image as ``read_case`` returns it; None where reading failed.
        problem: why reading failed; empty where it did not.
        source: of a segmented case, which has no sample any more.
        segmentation: the mask, where the case was segmented.
        seconds: duration of reading.
        infer_seconds: duration of segmenting.
        fingerprint: hash of the input's content, the model and the settings.
        file_states: of the files before they were read.
        storage_error: why no further case can be read; None while they can.
    """

    case: Case
    seconds: float
    sample: dict[str, Any] | None = None
    source: SourceImage | None = None
    segmentation: Segmentation | None = None
    infer_seconds: float = 0.0
    problem: str = ""
    fingerprint: str = ""
    file_states: FileStates = field(default_factory=dict)
    storage_error: StorageError | None = None


Load = Callable[[Case], LoadedCase]


def load_cases(
    cases: Sequence[Case],
    bundle: Bundle,
    *,
    workers: int,
    configuration: dict[str, Any],
    before_fork: Callable[[], None] = lambda: None,
    scratch: Path | None = None,
    then: Callable[[LoadedCase], LoadedCase] | None = None,
) -> Generator[LoadedCase, None, None]:
    """Load cases in order; each worker process holds one case at most.

    A worker that dies, because a decoder crashed or memory ran out, or that hangs costs only the case that it was
    reading. That case is tried once more, alone, and fails if it ends a second process.

    Args:
        cases: the cases to load.
        bundle: its preprocessing reads them.
        workers: number of processes. With 0, or where processes cannot be forked (Windows), this process reads.
        configuration: model and settings, for the fingerprints.
        scratch: a folder for files with the values of large images, as ``read_case`` takes it.
        then: what else the process that has read a case does with it.
        before_fork: waits for the other threads of this process. A lock that one of them holds inside a library stays
            locked forever in a process that is forked meanwhile.
    """
    read = partial(_load, bundle=bundle, configuration=configuration, scratch=scratch)
    load: Load = read if then is None else lambda case: then(read(case))
    if not workers or not CAN_FORK:
        yield from map(load, cases)
        return
    num_loaded = 0
    while num_loaded < len(cases):
        try:
            before_fork()
            with closing(_read_ahead(cases[num_loaded:], load, workers)) as payloads:
                for payload in payloads:
                    yield _unpacked(payload, cases[num_loaded])
                    num_loaded += 1
        except _WorkerLostError:
            before_fork()
            yield _load_alone(cases[num_loaded], load)
            num_loaded += 1


def _load_alone(case: Case, load: Load) -> LoadedCase:
    started = time.perf_counter()
    try:
        with closing(_read_ahead([case], load, 1)) as payloads:
            return _unpacked(next(payloads), case)
    except _WorkerLostError:
        problem = CaseError(
            f"{case.input.name}: reading it ended or blocked the process that read it, twice; the file is damaged, or "
            "memory ran out: copy it again or convert it to NIfTI"
        )
        return LoadedCase(case=case, problem=failure_reason(problem, case), seconds=time.perf_counter() - started)


class _WorkerLostError(Exception):
    """The worker process that should deliver the next case has died or hangs."""


def _read_ahead(cases: Sequence[Case], load: Load, workers: int) -> Generator[bytes, None, None]:
    """Yield pickled cases in order; of N workers each reads every N-th case.

    torch's DataLoader is not used: it reports a dead worker by an exception from a signal handler, which would hit
    this process in the inference of another case.

    Raises:
        _WorkerLostError: when the next case does not come.
    """
    readers: list[tuple[BaseProcess, Connection]] = []
    try:
        for first in range(min(workers, len(cases))):
            inherited_pipes = [pipe for _, pipe in readers]
            readers.append(_start_worker(cases[first::workers], load, inherited_pipes))
        for index in range(len(cases)):
            yield _receive(readers[index % workers][1])
    finally:
        for process, pipe in readers:
            process.kill()
            process.join()
            pipe.close()


def _start_worker(
    cases: Sequence[Case], load: Load, inherited_pipes: Sequence[Connection]
) -> tuple[BaseProcess, Connection]:
    # Forked, since MONAI finds inverse transforms by their identity in memory.
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    arguments = (cases, load, sending, [receiving, *inherited_pipes])
    process = context.Process(target=_read_in_worker, args=arguments, daemon=True)
    process.start()
    sending.close()  # so that the end of the process is the end of what can be received
    return process, receiving


def _receive(pipe: Connection) -> bytes:
    try:
        if pipe.poll(READ_TIMEOUT):
            return pipe.recv_bytes()
    except (EOFError, OSError, MemoryError) as error:  # the rest of a payload without memory would come next
        raise _WorkerLostError from error
    raise _WorkerLostError


def _read_in_worker(
    cases: Sequence[Case],
    load: Load,
    sending: Connection,
    inherited_pipes: Sequence[Connection],
) -> None:
    """Read the cases of one worker; each waits in the pipe until it is received, and only then is the next read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the run ends its workers itself
    for signal_number in ENDING_SIGNALS:
        signal.signal(signal_number, signal.SIG_DFL)
    for pipe in inherited_pipes:  # a receiving end left open would let sending block forever after a killed run
        pipe.close()
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    try:
        for case in cases:
            sending.send_bytes(_packed(load(case)))
    except BrokenPipeError:  # the run was killed
        return


def _packed(loaded: LoadedCase) -> bytes:
    """Return a loaded case as bytes: tensors would go through shared memory, which containers limit to 64 MB."""
    try:
        return pickle.dumps(loaded, protocol=pickle.HIGHEST_PROTOCOL)
    except MemoryError as error:
        failed = replace(
            loaded, sample=None, source=None, segmentation=None, problem=failure_reason(error, loaded.case)
        )
        return pickle.dumps(failed, protocol=pickle.HIGHEST_PROTOCOL)


def _unpacked(payload: bytes, case: Case) -> LoadedCase:
    try:
        loaded: LoadedCase = pickle.loads(payload)
    except MemoryError as error:
        return LoadedCase(case=case, problem=failure_reason(error, case), seconds=0.0)
    return loaded


def _load(case: Case, bundle: Bundle, configuration: dict[str, Any], scratch: Path | None = None) -> LoadedCase:
    started = time.perf_counter()
    loaded = LoadedCase(case=case, seconds=0.0, file_states=file_states(case))
    try:
        sample, loaded.fingerprint = read_case(case, bundle, scratch), fingerprint(case, configuration)
        loaded.sample = sample
    except Exception as error:  # isolation is the point: no case may end the batch
        loaded.problem, loaded.storage_error = failure_reason(error, case), scratch_storage_error(error)
    change = change_of_input(case, loaded.file_states)
    if change is not None:
        if loaded.sample is not None:
            loaded.sample["source"].remove()
        loaded.sample, loaded.problem = None, failure_reason(CaseError(change.reason), case)
    loaded.seconds = time.perf_counter() - started
    return loaded
