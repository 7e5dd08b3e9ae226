"""The comparison of instruction counts; callgrind itself runs in ``make bench-check`` alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.speed.instructions import check


def test_more_than_a_tenth_above_the_stored_count_is_a_regression() -> None:
    stored = {"forward": 1000, "read_series": 1000, "write_mask": 1000}
    lines = check.compare({"forward": 1101, "read_series": 1100, "write_mask": 500}, stored)
    assert lines == [
        "bench-check: forward: 1,101 instructions, stored 1,000 (+10%, at most +10%); make it cheaper, or store the "
        "new counts with `make bench-check UPDATE=1` and say why in the commit"
    ]


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(check.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(check, "STORED", tmp_path / "instructions.json")
    monkeypatch.setattr(check, "count", lambda script: 1000 + len(script.stem))
    return tmp_path / "instructions.json"


def test_stored_counts_pass_and_lower_ones_let_them_fail(counted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--update"]) == 0
    assert json.loads(counted.read_text()) == {"forward": 1007, "read_series": 1011, "write_mask": 1010}
    assert check.main([]) == 0
    assert "no regression" in capsys.readouterr().out
    counted.write_text(json.dumps({"forward": 1007, "read_series": 505, "write_mask": 1010}))
    assert check.main([]) == 1
    assert capsys.readouterr().err.startswith("bench-check: read_series: 1,011 instructions, stored 505 (+100%")


def test_a_script_that_fails_is_no_count(
    counted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(script: Path) -> int:
        raise RuntimeError("no bundle")

    monkeypatch.setattr(check, "count", fail)
    assert check.main([]) == 1
    assert capsys.readouterr().err == "bench-check: forward: no bundle\n"


def test_without_valgrind_it_is_skipped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(check.shutil, "which", lambda name: None)
    assert check.main([]) == 0
    assert capsys.readouterr().out == "bench-check: skipped, valgrind is not installed; apt-get install valgrind\n"


def test_every_item_has_a_script_and_a_stored_count() -> None:
    stored = json.loads((check.FOLDER / "instructions.json").read_text(encoding="utf-8"))
    assert set(stored) == set(check.ITEMS)
    assert all((check.FOLDER / f"{name}.py").is_file() for name in check.ITEMS)
