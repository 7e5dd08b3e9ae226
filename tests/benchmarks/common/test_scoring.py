"""Scores are right, kept, and computed again only where they must be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.scoring import score_case, score_row, slug
from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row


def cases(count: int) -> list[BenchmarkCase]:
    truth = np.zeros((8, 8), dtype=bool)
    truth[2:6, 2:6] = True
    return [BenchmarkCase(f"case{i}", "split one", Path(f"case{i}.png"), truth, (1.0, 1.0), "px") for i in range(count)]


class Counted:
    """A row that finds the left half of the truth, and what it was asked for."""

    def __init__(self, fail_at: str = "", every: int = 1) -> None:
        self.seeds: list[int] = []
        self.asked: list[str] = []
        self.fail_at = fail_at
        self.row = Row("A row, k=2", "simple", self.prepare, every=every)

    def prepare(self, seed: int) -> Predict:
        self.seeds.append(seed)
        return self.predict

    def predict(self, case: BenchmarkCase) -> Partition:
        if case.case_id == self.fail_at:
            raise KeyboardInterrupt
        self.asked.append(case.case_id)
        mask = case.truth.copy()
        mask[4:] = False
        return Partition(mask, case.truth.astype(np.uint8), seconds=0.25)


def test_the_three_protocols_by_hand() -> None:
    entry = score_case(cases(1)[0], Counted().predict)
    assert entry["label-free"]["dice"] == pytest.approx(2 * 8 / (8 + 16))
    assert entry["label-free"]["xor"] == pytest.approx(0.5)
    assert entry["label-free"]["hd95"] == pytest.approx(2.0)  # the right edge of the truth is two pixels away
    assert entry["oracle cluster"]["dice"] == entry["published protocol"]["dice"] == 1.0
    assert "hd95" not in entry["oracle cluster"]
    assert (entry["seconds"], entry["consistency"]) == (0.25, None)


def test_everything_foreground_gains_from_the_published_protocol() -> None:
    def everything(case: BenchmarkCase) -> Partition:
        return Partition(np.ones_like(case.truth), np.zeros(case.truth.shape, np.uint8))

    truth = np.zeros((100, 100), dtype=bool)
    truth[20:70, 20:70] = True
    entry = score_case(BenchmarkCase("a", "s", Path("a.png"), truth, (1.0, 1.0), "px"), everything)
    assert entry["label-free"]["dice"] == entry["oracle cluster"]["dice"] == pytest.approx(2 * 2500 / 12500)
    assert entry["published protocol"]["dice"] == pytest.approx(2 * 2500 / (58**2 + 2500))


def test_a_finished_row_is_not_made_ready_again(tmp_path: Path) -> None:
    first = score_row(Counted().row, cases(3), 0, tmp_path, "")
    again = Counted()
    assert score_row(again.row, cases(3), 0, tmp_path, "") == first
    assert again.seeds == []
    score_row(again.row, cases(3), 1, tmp_path, "")
    assert again.seeds == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a-row-k-2-split-one-0.json",
        "a-row-k-2-split-one-1.json",
    ]


def test_a_killed_row_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.common.scoring.SAVE_INTERVAL", 0.0)
    with pytest.raises(KeyboardInterrupt):
        score_row(Counted(fail_at="case2").row, cases(4), 0, tmp_path, "")
    again = Counted()
    entries = score_row(again.row, cases(4), 0, tmp_path, "")
    assert again.asked == ["case2", "case3"]
    assert [entry["case_id"] for entry in entries] == ["case0", "case1", "case2", "case3"]


def test_scores_of_other_weights_are_dropped(tmp_path: Path) -> None:
    score_row(Counted().row, cases(2), 0, tmp_path, "old weights")
    again = Counted()
    score_row(again.row, cases(2), 0, tmp_path, "new weights")
    assert again.asked == ["case0", "case1"]
    assert json.loads(next(tmp_path.iterdir()).read_text())["stamp"] == "new weights"


def test_slow_rows_score_every_nth_case(tmp_path: Path) -> None:
    counted = Counted(every=3)
    score_row(counted.row, cases(7), 0, tmp_path, "")
    assert counted.asked == ["case0", "case3", "case6"]


def test_a_mask_of_another_shape_is_refused() -> None:
    def turned(case: BenchmarkCase) -> Partition:
        return Partition(np.zeros((8, 7), bool), case.truth)

    with pytest.raises(ValueError, match=r"case0.png: mask of \(8, 7\), expected the truth's \(8, 8\)"):
        score_case(cases(1)[0], turned)


def test_slug_is_a_file_name() -> None:
    assert slug("S3-Net corrected (per image)") == "s3-net-corrected-per-image"
