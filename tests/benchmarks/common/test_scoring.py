"""Scores are right, cached, and computed again only when necessary."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.scoring import Entry, score_case, score_row, slug
from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row


def image_case(name: str, truth: np.ndarray) -> BenchmarkCase:
    image = Path(f"{name}.png")
    return BenchmarkCase(case_id=name, split="split one", image=image, truth=truth, spacing=(1.0, 1.0), unit="px")


def cases(count: int) -> list[BenchmarkCase]:
    truth = np.zeros((8, 8), dtype=bool)
    truth[2:6, 2:6] = True
    return [image_case(f"case{index}", truth) for index in range(count)]


class Counted:
    """A row that finds the left half of the truth, with the cases it was asked for."""

    def __init__(self, fail_at: str = "", every: int = 1) -> None:
        self.seeds: list[int] = []
        self.requested: list[str] = []
        self.fail_at = fail_at
        self.row = Row("A row, k=2", "simple", self.prepare, every=every)

    def prepare(self, seed: int) -> Predict:
        self.seeds.append(seed)
        return self.predict

    def predict(self, case: BenchmarkCase) -> Partition:
        if case.case_id == self.fail_at:
            raise KeyboardInterrupt
        self.requested.append(case.case_id)
        mask = case.truth.copy()
        mask[4:] = False
        return Partition(mask, case.truth.astype(np.uint8), seconds=0.25)


def score(
    counted: Counted, cases: list[BenchmarkCase], folder: Path, *, seed: int = 0, cache_key: str = ""
) -> list[Entry]:
    return score_row(counted.row, cases, seed=seed, folder=folder, cache_key=cache_key)


def test_the_three_protocols_by_hand() -> None:
    entry = score_case(cases(1)[0], Counted().predict)
    assert entry["label-free"]["dice"] == pytest.approx(2 * 8 / (8 + 16))
    assert entry["label-free"]["xor"] == pytest.approx(0.5)
    assert entry["label-free"]["hd95"] == pytest.approx(2.0)  # the right edge of the truth is two pixels away
    assert entry["oracle cluster"]["dice"] == entry["published protocol"]["dice"] == 1.0
    assert "hd95" not in entry["oracle cluster"]
    assert (entry["seconds"], entry["consistency"]) == (0.25, None)


def test_everything_foreground_gains_by_the_published_protocol() -> None:
    def everything(case: BenchmarkCase) -> Partition:
        return Partition(np.ones_like(case.truth), np.zeros(case.truth.shape, np.uint8))

    truth = np.zeros((100, 100), dtype=bool)
    truth[20:70, 20:70] = True
    entry = score_case(image_case("a", truth), everything)
    assert entry["label-free"]["dice"] == entry["oracle cluster"]["dice"] == pytest.approx(2 * 2500 / 12500)
    assert entry["published protocol"]["dice"] == pytest.approx(2 * 2500 / (58**2 + 2500))


def test_a_finished_row_is_not_prepared_again(tmp_path: Path) -> None:
    first = score(Counted(), cases(3), tmp_path)
    second = Counted()
    assert score(second, cases(3), tmp_path) == first
    assert second.seeds == []
    score(second, cases(3), tmp_path, seed=1)
    assert second.seeds == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a-row-k-2-split-one-0.json",
        "a-row-k-2-split-one-1.json",
    ]


def test_an_interrupted_row_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.common.scoring.SAVE_INTERVAL", 0.0)
    with pytest.raises(KeyboardInterrupt):
        score(Counted(fail_at="case2"), cases(4), tmp_path)
    second = Counted()
    entries = score(second, cases(4), tmp_path)
    assert second.requested == ["case2", "case3"]
    assert [entry["case_id"] for entry in entries] == ["case0", "case1", "case2", "case3"]


def test_scores_of_other_weights_are_dropped(tmp_path: Path) -> None:
    score(Counted(), cases(2), tmp_path, cache_key="old weights")
    second = Counted()
    score(second, cases(2), tmp_path, cache_key="new weights")
    assert second.requested == ["case0", "case1"]
    assert json.loads(next(tmp_path.iterdir()).read_text())["cache_key"] == "new weights"


def test_slow_rows_score_every_nth_case(tmp_path: Path) -> None:
    counted = Counted(every=3)
    score(counted, cases(7), tmp_path)
    assert counted.requested == ["case0", "case3", "case6"]


def test_a_mask_of_another_shape_is_refused() -> None:
    def transposed(case: BenchmarkCase) -> Partition:
        return Partition(np.zeros((8, 7), bool), case.truth)

    with pytest.raises(ValueError, match=r"case0.png: mask of \(8, 7\), expected the truth's \(8, 8\)"):
        score_case(cases(1)[0], transposed)


def test_slug_is_a_file_name() -> None:
    assert slug("S3-Net corrected (per image)") == "s3-net-corrected-per-image"
