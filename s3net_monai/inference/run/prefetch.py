"""Reading ahead: the next cases are loaded and preprocessed by worker processes while one is on the network."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.run.fingerprint import fingerprint
from s3net_monai.inference.run.segmenter import read_case
from s3net_monai.inference.run.validate_input import failure_reason
from s3net_monai.io import CaseError
from s3net_monai.utils.signals import ENDING_SIGNALS

CAN_FORK = "fork" in multiprocessing.get_all_start_methods()  # not on Windows
READ_TIMEOUT = 1800.0  # seconds without a case: a decoder that hangs must not hold up a night's run


@dataclass
class LoadedCase:
    """A preprocessed ``sample``, or the ``problem`` that prevented one, after ``seconds`` of reading.

    ``fingerprint`` tells what was read, with which model and settings it is to be segmented.
    """

    case: Case
    sample: dict[str, Any] | None
    problem: str
    seconds: float
    fingerprint: str = ""


def load_cases(cases: Sequence[Case], bundle: Bundle, workers: int, basis: dict[str, Any]) -> Iterator[LoadedCase]:
    """Load cases in order. Each of ``workers`` processes holds one case at most.

    With 0 workers, or where processes cannot be forked (Windows), this process reads.

    A worker that dies (of a decoder that crashes, or of memory) or hangs costs the case that it read, no other: that
    one is tried once more, alone, and fails if its reading ends a second process.

    Args:
        basis: model and settings, for the fingerprints.
    """
    if not workers or not CAN_FORK:
        yield from (_load(case, bundle, basis) for case in cases)
        return
    done = 0
    while done < len(cases):
        try:
            with closing(_read_ahead(cases[done:], bundle, basis, workers)) as payloads:
                for payload in payloads:
                    yield pickle.loads(payload)
                    done += 1
        except _ReaderLostError:
            yield _load_alone(cases[done], bundle, basis)
            done += 1


def _load_alone(case: Case, bundle: Bundle, basis: dict[str, Any]) -> LoadedCase:
    started = time.perf_counter()
    try:
        with closing(_read_ahead([case], bundle, basis, 1)) as payloads:
            loaded: LoadedCase = pickle.loads(next(payloads))
    except _ReaderLostError:
        problem = CaseError(
            f"{case.input.name}: reading it ended or blocked the process that read it, twice; the file is damaged, or "
            "memory was too little: copy it again or convert it to NIfTI"
        )
        return LoadedCase(case, None, failure_reason(problem, case), time.perf_counter() - started)
    return loaded


class _ReaderLostError(Exception):
    """The process that was to hand over the next case has died or hangs."""


def _read_ahead(
    cases: Sequence[Case], bundle: Bundle, basis: dict[str, Any], workers: int
) -> Generator[bytes, None, None]:
    """Pickled cases in order, every worker reading each ``workers``-th.

    Not by torch's DataLoader: it tells of a dead worker by an exception out of a signal handler, wherever this process
    is just then, which would be the inference of another case.

    Raises:
        _ReaderLostError: when the next case does not come.
    """
    readers: list[tuple[BaseProcess, Connection]] = []
    try:
        for first in range(min(workers, len(cases))):
            readers.append(_start(cases[first::workers], bundle, basis, [pipe for _, pipe in readers]))
        for index in range(len(cases)):
            yield _receive(readers[index % workers][1])
    finally:
        for process, pipe in readers:
            process.kill()
            process.join()
            pipe.close()


def _start(
    cases: Sequence[Case], bundle: Bundle, basis: dict[str, Any], siblings: Sequence[Connection]
) -> tuple[BaseProcess, Connection]:
    # Forked, as MONAI's inverse transforms are found again by their identity in memory.
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    inherited = [receiving, *siblings]
    process = context.Process(target=_read, args=(cases, bundle, basis, sending, inherited), daemon=True)
    process.start()
    sending.close()  # so that the end of the process is the end of what can be received
    return process, receiving


def _receive(pipe: Connection) -> bytes:
    try:
        if pipe.poll(READ_TIMEOUT):
            return pipe.recv_bytes()
    except (EOFError, OSError) as error:
        raise _ReaderLostError from error
    raise _ReaderLostError


def _read(
    cases: Sequence[Case], bundle: Bundle, basis: dict[str, Any], sending: Connection, inherited: Sequence[Connection]
) -> None:
    """What a worker does; a case waits in the pipe until it is wanted, and the next is read only then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the run ends its workers itself
    for signal_number in ENDING_SIGNALS:
        signal.signal(signal_number, signal.SIG_DFL)
    for pipe in inherited:  # while anyone could still receive, sending would wait for ever after the run was killed
        pipe.close()
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    try:
        for case in cases:
            # As bytes: tensors would travel through shared memory, which containers limit to 64 MB.
            sending.send_bytes(pickle.dumps(_load(case, bundle, basis), protocol=pickle.HIGHEST_PROTOCOL))
    except BrokenPipeError:  # the run was killed
        return


def _load(case: Case, bundle: Bundle, basis: dict[str, Any]) -> LoadedCase:
    started = time.perf_counter()
    try:
        sample, content = read_case(case, bundle), fingerprint(case, basis)
    except Exception as error:  # isolation is the point: no case may end the batch
        return LoadedCase(case, None, failure_reason(error, case), time.perf_counter() - started)
    return LoadedCase(case, sample, "", time.perf_counter() - started, content)
