"""The tables in README and the model cards are those of docs/benchmark."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_scores", ROOT / "scripts" / "write_scores.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_has_the_numbers_of_the_benchmark(script: ModuleType) -> None:
    for page in script.PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert script.BLOCK.search(text), page
        assert script.filled(text) == text, f"{page}: run scripts/write_scores.py"


def test_a_block_is_replaced_and_the_rest_is_not(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"splits": {"A": {"label-free": {"dice": {"mean": 0.5}}}}}
    shipped = {"dice": {"mean": 0.91234, "median": 0.95, "ci95": [0.9, 0.92]}, "share_failed": 0.25}
    result = {
        "splits": {"A": {"cases": 7}},
        "rows": [
            {"kind": "simple", "name": "weak", **row},
            {"kind": "simple", "name": "best", "splits": {"A": {"label-free": {"dice": {"mean": 0.8}}}}},
            {"kind": "shipped", "name": "ours", "splits": {"A": {"label-free": shipped}}},
        ],
    }
    monkeypatch.setattr(script, "read", lambda name: result)
    page = script.filled("before\n<!-- scores skin -->\nold\n<!-- end -->\nafter\n")
    assert page.startswith("before\n<!-- scores skin -->\n\n|")
    assert "| A | 7 | 0.912 (0.900 to 0.920) | 0.950 | 0.250 | 0.800 (best) | - |" in page
    assert "old" not in page
    assert page.endswith("<!-- end -->\nafter\n")
    assert script.filled(page) == page
