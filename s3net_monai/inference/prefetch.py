"""Reading ahead: the next cases are loaded and preprocessed by worker processes while one is on the network."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.checks import failure_reason
from s3net_monai.inference.discovery import Case
from s3net_monai.inference.fingerprint import fingerprint
from s3net_monai.inference.segmenter import read_case
from s3net_monai.io import CaseError

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
    """Load cases in order. Each of ``workers`` processes holds one case at most; with 0 this process reads.

    A worker that dies (of a decoder that crashes, or of memory) or hangs costs the case that it read, no other: that
    one is tried once more, alone, and fails if its reading ends a second process.

    Args:
        basis: model and settings, for the fingerprints.
    """
    if not workers:
        yield from (_load(case, bundle, basis) for case in cases)
        return
    done = 0
    while done < len(cases):
        try:
            for payload in _loader(_PickledCases(cases[done:], bundle, basis), workers):
                yield pickle.loads(payload)
                done += 1
        except RuntimeError:  # torch's word for a worker that died or timed out
            yield _load_alone(cases[done], bundle, basis)
            done += 1


def _load_alone(case: Case, bundle: Bundle, basis: dict[str, Any]) -> LoadedCase:
    started = time.perf_counter()
    try:
        loaded: LoadedCase = pickle.loads(next(iter(_loader(_PickledCases([case], bundle, basis), 1))))
    except RuntimeError:
        problem = CaseError(
            f"{case.input.name}: reading it ended or blocked the process that read it, twice; the file is damaged, or "
            "memory was too little: copy it again or convert it to NIfTI"
        )
        return LoadedCase(case, None, failure_reason(problem, case), time.perf_counter() - started)
    return loaded


def _loader(cases: Dataset[bytes], workers: int) -> DataLoader[bytes]:
    # Forked, as MONAI's inverse transforms are found again by their identity in memory.
    return DataLoader(
        cases,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=1,
        collate_fn=_unchanged,
        multiprocessing_context="fork",
        timeout=READ_TIMEOUT,
    )


def _load(case: Case, bundle: Bundle, basis: dict[str, Any]) -> LoadedCase:
    started = time.perf_counter()
    try:
        sample, content = read_case(case, bundle), fingerprint(case, basis)
    except Exception as error:  # isolation is the point: no case may end the batch
        return LoadedCase(case, None, failure_reason(error, case), time.perf_counter() - started)
    return LoadedCase(case, sample, "", time.perf_counter() - started, content)


class _PickledCases(Dataset[bytes]):
    """Cases as bytes: tensors would travel through shared memory, which containers limit to 64 MB."""

    def __init__(self, cases: Sequence[Case], bundle: Bundle, basis: dict[str, Any]) -> None:
        self.cases = cases
        self.bundle = bundle
        self.basis = basis

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> bytes:
        return pickle.dumps(_load(self.cases[index], self.bundle, self.basis), protocol=pickle.HIGHEST_PROTOCOL)


def _unchanged(payload: Any) -> Any:
    return payload
