"""Processes that read ahead and are killed from outside, as when memory runs out, and limits on memory."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from benchmarks.faults.forked_run import start_run
from benchmarks.faults.results import differing, results
from benchmarks.faults.run_inputs import segment_words

pytestmark = pytest.mark.slow

SEED = 6
NUM_KILLS = 6
EXTRA_BYTES = 200 << 20  # for small cases and threads, and less than the image of the large one takes, 256 MB


def children(process: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def test_a_killed_reader_costs_no_more_than_its_case(tmp_path: Path) -> None:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("the readers of a run are found by /proc")
    words = segment_words("volumes", tmp_path)
    started = time.perf_counter()
    assert start_run([*words, "--output", str(tmp_path / "whole")], tmp_path / "log").end().code == 0
    seconds = time.perf_counter() - started
    expected = results(tmp_path / "whole")
    generator = random.Random(SEED)
    killed = 0
    for number in range(NUM_KILLS):
        words_of_run = [*words, "--output", str(tmp_path / f"out{number}"), "--workers", "2"]
        run = start_run(words_of_run, tmp_path / "log")
        time.sleep(generator.random() * seconds)
        readers = children(run.process.pid or 0)
        for reader in readers[: generator.randrange(1, 3)]:
            os.kill(reader, signal.SIGKILL)
            killed += 1
        ended = run.end()  # and does not hang
        assert ended.code in (0, 1), ended.text
        assert "Traceback" not in ended.text
        failed = [case for case in _cases(tmp_path / f"out{number}") if case["status"] == "failed"]
        assert len(failed) <= 1
        assert all("ended or blocked the process that read it, twice" in case["reason"] for case in failed)
        if ended.code:
            assert start_run([*words_of_run, "--resume"], tmp_path / "log").end().code == 0
        assert differing(expected, results(tmp_path / f"out{number}")) == []
    assert killed


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_limit_on_memory_costs_the_large_case_alone(tmp_path: Path, workers: str) -> None:
    """In the run itself, or in the process that reads for it."""
    words = segment_words("volumes", tmp_path)
    large = tmp_path / "in" / "large.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((400, 400, 400), dtype=np.int16), np.eye(4)), large)

    def restrict() -> None:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_BYTES, resource.RLIM_INFINITY))

    run = [*words, "--output", str(tmp_path / "out"), "--workers", workers]
    ended = start_run(run, tmp_path / "log", before=restrict).end()
    assert ended.code == 1, ended.text
    assert "Traceback" not in ended.text
    failed = {case["case_id"]: case["reason"] for case in _cases(tmp_path / "out") if case["status"] == "failed"}
    assert list(failed) == ["large"], ended.text
    assert failed["large"].startswith("large.nii.gz: ")
    assert "not enough memory" in failed["large"] or "memory ran out" in failed["large"]

    (tmp_path / "in" / "volume0.nii.gz").replace(large)  # a smaller one in its place
    resumed = start_run([*run, "--resume"], tmp_path / "log").end()
    assert resumed.code == 0, resumed.text
    assert start_run([*words, "--output", str(tmp_path / "whole")], tmp_path / "log").end().code == 0
    left = {"volume0_seg.nii.gz", "volume0_preview.jpg"}
    assert set(differing(results(tmp_path / "whole"), results(tmp_path / "out"))) == {*left, "report.json"}


def _cases(output: Path) -> list[dict[str, str]]:
    cases: list[dict[str, str]] = json.loads((output / "report.json").read_text())["cases"]
    return cases
