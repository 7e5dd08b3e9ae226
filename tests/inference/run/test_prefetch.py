"""Reading ahead: order, and the cost of a worker that dies or hangs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from monai.transforms import Compose, Lambda

from s3net_monai.inference import Bundle, Settings, find_cases, run_batch
from s3net_monai.inference.report.report import CaseReport
from s3net_monai.inference.run import prefetch
from s3net_monai.inference.run.outputs import OutputWriter
from s3net_monai.inference.run.prefetch import LoadedCase, load_cases
from tests.helpers.small_runs import write_uniform_volume


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for index, name in enumerate("abcdef"):
        write_uniform_volume(tmp_path / "in" / f"{name}.nii", index)
    return tmp_path / "in"


def with_step(bundle: Bundle, step: Callable[[dict[str, Any]], dict[str, Any]]) -> Bundle:
    return replace(bundle, preprocessing=Compose([*cast(Compose, bundle.preprocessing).transforms, Lambda(step)]))


def load(volumes: Path, bundle: Bundle, workers: int) -> list[LoadedCase]:
    return list(load_cases(find_cases([volumes]).cases, bundle, workers=workers, configuration={}))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_cases_come_in_order(volumes: Path, bundle: Bundle, workers: int) -> None:
    loaded = load(volumes, bundle, workers)
    assert [case.case.case_id for case in loaded] == list("abcdef")
    assert [int(case.sample["image"].max()) for case in loaded if case.sample] == list(range(6))
    assert len({case.fingerprint for case in loaded}) == 6


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_costs_only_its_own_case(volumes: Path, bundle: Bundle, workers: int) -> None:
    def crash_at_c(sample: dict[str, Any]) -> dict[str, Any]:
        if sample["case_id"] == "c":
            os.kill(
                os.getpid(), signal.SIGKILL
            )  # like a decoder's segmentation fault or the kernel's out-of-memory killer
        return sample

    loaded = load(volumes, with_step(bundle, crash_at_c), workers)
    assert [case.case.case_id for case in loaded if case.sample is None] == ["c"]
    assert [case.case.case_id for case in loaded] == list("abcdef")
    assert loaded[2].problem.startswith("c.nii: reading it ended or blocked the process")


def test_a_crash_that_is_not_repeated_costs_nothing(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    def crash_once(sample: dict[str, Any]) -> dict[str, Any]:
        mark = tmp_path / "crashed"
        if sample["case_id"] == "b" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return sample

    assert all(case.sample for case in load(volumes, with_step(bundle, crash_once), 1))


@pytest.mark.slow
def test_a_reader_that_blocks_costs_only_its_own_case(
    volumes: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def block_at_b(sample: dict[str, Any]) -> dict[str, Any]:
        if sample["case_id"] == "b":
            time.sleep(3600)
        return sample

    monkeypatch.setattr(prefetch, "READ_TIMEOUT", 5.0)
    loaded = load(volumes, with_step(bundle, block_at_b), 1)
    assert [case.case.case_id for case in loaded if case.sample is None] == ["b"]
    assert len(loaded) == 6


def test_a_crash_during_inference_of_another_case(volumes: Path, bundle: Bundle) -> None:
    def crash_at_c(sample: dict[str, Any]) -> dict[str, Any]:
        if sample["case_id"] == "c":
            os.kill(os.getpid(), signal.SIGKILL)
        return sample

    outcomes = []
    for loaded in load_cases(find_cases([volumes]).cases, with_step(bundle, crash_at_c), workers=1, configuration={}):
        time.sleep(0.5)  # inference, in which no exception of another case may arrive
        outcomes.append((loaded.case.case_id, loaded.sample is not None))
    assert outcomes == [(name, name != "c") for name in "abcdef"]


def test_no_process_is_forked_while_a_mask_is_written(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that the writing thread holds inside a library would stay locked in the new process."""

    def crash_at_c_and_e(sample: dict[str, Any]) -> dict[str, Any]:
        if sample["case_id"] in "ce":
            os.kill(os.getpid(), signal.SIGKILL)
        return sample

    writing: list[str] = []
    forked_while_writing: list[list[str]] = []
    write_case, start_worker = OutputWriter.write_case, prefetch._start_worker

    def write_slowly(writer: OutputWriter, entry: CaseReport, *arguments: Any, **options: Any) -> CaseReport:
        writing.append(entry.case_id)
        time.sleep(0.3)
        try:
            return write_case(writer, entry, *arguments, **options)
        finally:
            writing.remove(entry.case_id)

    def start_and_look(*arguments: Any) -> Any:
        forked_while_writing.append(list(writing))
        return start_worker(*arguments)

    monkeypatch.setattr(OutputWriter, "write_case", write_slowly)
    monkeypatch.setattr(prefetch, "_start_worker", start_and_look)
    cases = find_cases([volumes]).cases
    report = run_batch(cases, with_step(bundle, crash_at_c_and_e), tmp_path / "out", settings=Settings(workers=1))
    assert [case.status for case in report.cases.values()] == ["ok", "ok", "failed", "ok", "failed", "ok"]
    assert forked_while_writing == [[]] * 5  # at the start, and twice for each crash
