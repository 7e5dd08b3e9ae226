"""The tables in README, docs and model cards are those of docs/benchmark."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from tests.helpers.paths import ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_scores", ROOT / "scripts" / "write_scores.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_has_the_numbers_of_the_benchmark(script: ModuleType) -> None:
    pages = script.pages()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert script.filled(text) == text, f"{page}: run scripts/write_scores.py"
    for card in (ROOT / "bundle").glob("*/docs/README.md"):
        assert card in pages, f"{card}: without a table of scores"


def test_every_kind_of_table_is_on_a_page(script: ModuleType) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in script.pages())
    kinds = {match[1] for match in script.BLOCK.finditer(text)}
    assert kinds == {"scores", "consistency", "few", "structures", "corrections", "speed", "memory"}
    studies = {match[2].strip() for match in script.BLOCK.finditer(text) if match[1] == "few"}
    assert studies == {"cardiac", "abdomen"}


def test_a_block_is_replaced_and_the_rest_is_not(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"splits": {"A": {"label-free": {"dice": {"mean": 0.5}}}}}
    released = {"dice": {"mean": 0.91234, "median": 0.95, "ci95": [0.9, 0.92]}, "share_failed": 0.25}
    result = {
        "splits": {"A": {"cases": 7}},
        "rows": [
            {"kind": "simple", "name": "weak", **row},
            {"kind": "simple", "name": "best", "splits": {"A": {"label-free": {"dice": {"mean": 0.8}}}}},
            {"kind": "released", "name": "ours", "splits": {"A": {"label-free": released}}},
        ],
    }
    monkeypatch.setattr(script, "read", lambda name: result)
    page = script.filled("before\n<!-- scores skin -->\nold\n<!-- end -->\nafter\n")
    assert page.startswith("before\n<!-- scores skin -->\n\n|")
    assert "| A | 7 | 0.912 (0.900 to 0.920) | 0.950 | 0.250 | 0.800 (best) | - |" in page
    assert "old" not in page
    assert page.endswith("<!-- end -->\nafter\n")
    assert script.filled(page) == page


def test_corrections_have_one_row_per_order(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = {"10": {"A": {"mean": 0.8512, "seed_std": 0.004}}, "20": {"A": {"mean": 0.86, "seed_std": 0.0}}}
    result = {
        "steps": [10, 20],
        "splits": {"A": 7},
        "released": {"A": {"mean": 0.84}},
        "supervised": {"A": {"mean": 0.87}},
        "rows": [{"name": "consistency", "cells": cells}],
    }
    monkeypatch.setattr(script, "read", lambda name: result)
    page = script.filled("<!-- corrections -->\n<!-- end -->")
    assert (
        "| report split | corrected in the order | before | 10 | 20 | U-Net, all masks |\n|---|---|---|---|---|---|"
        in page
    )
    assert "| A | consistency | 0.840 | 0.851 ± 0.004 | 0.860 ± 0.000 | 0.870 |" in page


def test_few_labels_have_one_column_per_number_of_patients(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def cell(mean: float, ends: list[float] | None, difference: list[float] | None, draws: int = 3) -> dict[str, Any]:
        against = None if difference is None else {"ci95": difference}
        return {"dice": {"mean": mean, "ci95": ends}, "against": {"scratch": against}, "draws": list(range(draws))}

    result = {
        "columns": ["1", "all"],
        "unit": "patient",
        "references": ["scratch", "better"],
        "published": {"a paper": {"1": 0.738}},
        "rows": [
            {
                "name": "scratch",
                "kind": "from scratch",
                "cells": {"1": cell(0.6, [0.5, 0.7], None), "all": cell(0.9, None, None, 1)},
            },
            {"name": "better", "kind": "ours", "cells": {"1": cell(0.7, [0.6, 0.8], [0.05, 0.15])}},
            {"name": "half of it", "kind": "ablation", "cells": {"1": cell(0.65, [0.6, 0.7], [0.01, 0.09])}},
            {"name": "perhaps", "kind": "pre-trained", "cells": {"1": cell(0.62, [0.5, 0.7], [-0.01, 0.05], 1)}},
        ],
    }
    monkeypatch.setattr(script, "read", lambda name: result)
    page = script.filled("<!-- few cardiac -->\n<!-- end -->\n").splitlines()
    assert page[2:8] == [
        "| labeled patients | 1 | all |",
        "|---|---|---|",
        "| scratch | 0.600 (0.500 to 0.700) | 0.900 |",
        "| better | 0.700 (0.600 to 0.800) \\* | - |",
        "| perhaps | 0.620 (0.500 to 0.700), 1 draw | - |",
        "| *a paper* | 0.738 | - |",
    ]
    assert page[9] == '\\* above "scratch": the 95 % interval of the difference over patients excludes zero.'
