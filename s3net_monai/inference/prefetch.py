"""Reading ahead: the next cases are loaded and preprocessed by worker processes while one is on the network."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.checks import failure_reason
from s3net_monai.inference.discovery import Case
from s3net_monai.inference.segmenter import read_case

logger = logging.getLogger(__name__)


@dataclass
class LoadedCase:
    """A preprocessed ``sample``, or the ``problem`` that prevented one, after ``seconds`` of reading."""

    case: Case
    sample: dict[str, Any] | None
    problem: str
    seconds: float


def load_cases(cases: Sequence[Case], bundle: Bundle, workers: int) -> Iterator[LoadedCase]:
    """Load cases in order. Each of ``workers`` processes holds one case at most; with 0 this process reads.

    Should a worker die (out of memory, mostly), the rest is read here.
    """
    done = 0
    if workers:
        # Forked, as MONAI's inverse transforms are found again by their identity in memory.
        loader = DataLoader(
            _PickledCases(cases, bundle),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=1,
            collate_fn=_unchanged,
            multiprocessing_context="fork",
        )
        try:
            for payload in loader:
                yield pickle.loads(payload)
                done += 1
        except RuntimeError as error:
            logger.warning("a reading worker ended (%s); reading on without workers", str(error).splitlines()[0])
    for case in cases[done:]:
        yield _load(case, bundle)


def _load(case: Case, bundle: Bundle) -> LoadedCase:
    started = time.perf_counter()
    try:
        sample, problem = read_case(case, bundle), ""
    except Exception as error:  # isolation is the point: no case may end the batch
        return LoadedCase(case, None, failure_reason(error, case), time.perf_counter() - started)
    return LoadedCase(case, sample, problem, time.perf_counter() - started)


class _PickledCases(Dataset[bytes]):
    """Cases as bytes: tensors would travel through shared memory, which containers limit to 64 MB."""

    def __init__(self, cases: Sequence[Case], bundle: Bundle) -> None:
        self.cases = cases
        self.bundle = bundle

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> bytes:
        return pickle.dumps(_load(self.cases[index], self.bundle), protocol=pickle.HIGHEST_PROTOCOL)


def _unchanged(payload: Any) -> Any:
    return payload
