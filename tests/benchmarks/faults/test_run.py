"""The runner of the faults benchmark: which measurements run, what stays of earlier ones, what the page says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.cli import main


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Measurements of two names that return what the test puts here."""
    results: dict[str, Any] = {}
    for name in ("bit_flips", "kills"):
        module = ModuleType(name)

        def measure(folder: Path, name: str = name) -> dict[str, Any]:
            assert list(folder.iterdir()) == []
            return results[name]

        module.measure = measure  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"benchmarks.faults.{name}", module)
    return results


def test_named_rows_run_and_the_others_remain(stand_ins: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "faults.json"
    stand_ins["bit_flips"] = {"tried": 7, "wrong": 2, "kinds": {"NIfTI": {"tried": 4, "wrong": 2}, "PNG": {"tried": 3}}}
    stand_ins["kills"] = {"tried": 5, "wrong": 0}
    assert main(["faults", "--output", str(output), "--rows", "kills"]) == 0
    assert main(["faults", "--output", str(output), "--rows", "bit-flips"]) == 0
    written = json.loads(output.read_text())
    assert list(written["rows"]) == ["bit-flips", "kills"]
    assert written["rows"]["bit-flips"]["wrong"] == 2
    assert written["rows"]["kills"]["tried"] == 5
    assert str(tmp_path) not in output.read_text()

    page = output.with_suffix(".md").read_text()
    assert "| Single bit flips in compressed files | 7 | 2 |" in page
    assert "| Killed runs that are resumed | 5 | 0 |" in page
    assert "| NIfTI | 4 | 2 |" in page
    assert "| PNG | 3 | - |" in page


def test_the_output_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--output", str(tmp_path / "faults.txt")]) == 2
    assert "expected a name that ends in .json" in capsys.readouterr().err
