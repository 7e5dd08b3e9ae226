"""The page of a small hand-made result, and the committed page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.items import BEFORE, FLOOR, LUNGMASK, THIS
from benchmarks.speed.page import speed_page
from benchmarks.speed.plot import write_speed_plot
from benchmarks.speed.run import COMMITTED
from tests.helpers.paths import ROOT


def runs(wall: float, memory: float, **more: Any) -> list[dict[str, Any]]:
    return [{"wall_seconds": wall, "cpu_seconds": 2 * wall, "peak_gb": memory, **more}]


def ratio(median: float) -> dict[str, float]:
    return {"median": median, "least": median - 0.5, "most": median + 0.25}


@pytest.fixture
def result() -> dict[str, Any]:
    ct = {
        "runs": {
            THIS: runs(10.0, 0.8, case_seconds=8.0, phases={"start": 2.0, "read": 1.0, "infer": 7.0}),
            BEFORE: runs(40.0, 1.6, case_seconds=36.0, phases={"start": 4.0, "read": 6.0, "infer": 30.0}),
            LUNGMASK: runs(150.0, 2.0, phases={"read": 5.0, "infer": 100.0, "clean-up": 45.0}),
            FLOOR: runs(3.0, 0.5, phases={"read": 1.0, "write": 1.5}),
        },
        "ratios": {
            BEFORE: {"wall_seconds": ratio(4.0), "peak_gb": ratio(2.0)},
            LUNGMASK: {"wall_seconds": ratio(15.0)},
            FLOOR: {"wall_seconds": ratio(0.5)},
        },
    }
    fit = {"runs": {THIS: runs(9.0, 0.5, step_seconds=1.75)}, "ratios": {}, "failed": {BEFORE: "pip failed"}}
    points = [{"size": size, **runs(size / 10, size / 1000, case_seconds=1.0)[0]} for size in (300, 1500)]
    return {
        "command": "python -m benchmarks speed",
        "machine": {"cores": 2, "torch": "2.0"},
        "before": "c7237f4059",
        "rows": {"ct": ct, "fit": fit, "growth-slices": {"points": points}},
    }


@pytest.mark.parametrize(
    "line",
    [
        # targets: met, missed, in gigabytes, in seconds, by growth
        "| CT of 512 x 512 x 300, DICOM to NIfTI and DICOM SEG | the build before | 10.0 s | 40.0 s "
        "| 4.00 (3.50 to 4.25) | 3.5 times, aim 6 | yes |",
        "| CT of 512 x 512 x 300, DICOM to NIfTI and DICOM SEG | lungmask | 10.0 s | 150.0 s "
        "| 15.00 (14.50 to 15.25) | 20 times | no |",
        "| CT of 512 x 512 x 300, DICOM to NIfTI and DICOM SEG: memory | the build before | 0.80 GB | 1.60 GB "
        "| 2.00 (1.50 to 2.25) | 0.9 GB | yes |",
        "| per-image fit, skin | the build before | 1.75 s | - | - | 1.5 s | no |",
        "| CT of 1,500 slices: memory | 300 slices | 1.50 GB | 0.30 GB | 5.00 | 1.5 at most | no |",
        # numbers, phases, growth, failures
        "| CT of 512 x 512 x 300, DICOM to NIfTI and DICOM SEG | floor | 1 | 3.00 s | 6.00 s | - | 0.50 GB |",
        "| work | side | start | read | infer | clean-up | write |",
        "| CT of 512 x 512 x 300, DICOM to NIfTI and DICOM SEG | floor | - | 1.00 s | - | - | 1.50 s |",
        "| 1,500 | 150.0 s | 300.0 s | 1.00 s | 1.50 GB |",
        "- fit, before: pip failed",
        "![Ratios to this build, and growth](benchmark/speed.png)",
    ],
)
def test_page_has_targets_numbers_phases_and_growth(result: dict[str, Any], line: str) -> None:
    assert line in speed_page(result, Path("benchmark/speed.png")).splitlines()


def test_page_of_nothing_has_no_plot(result: dict[str, Any], tmp_path: Path) -> None:
    empty = {**result, "rows": {}}
    assert write_speed_plot(empty, tmp_path / "speed.png") is None
    assert "![" not in speed_page(empty, None)


def test_plot_is_drawn(result: dict[str, Any], tmp_path: Path) -> None:
    path = write_speed_plot(result, tmp_path / "speed.png")
    assert path is not None
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_committed_page_is_that_of_the_committed_numbers() -> None:
    result = json.loads(COMMITTED.read_text(encoding="utf-8"))
    plot = Path("benchmark/speed.png") if result["rows"] else None
    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == speed_page(result, plot)
