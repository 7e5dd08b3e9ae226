"""README and guides: short enough, true to the benchmark, and without a dead link."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = " ".join(README.split())
MAX_LINES = 150
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "docs/api/*.md", "docs/benchmark/*.md", "bundle/*/docs/*.md")
    for page in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")
LINKS = [(page, link) for page in PAGES for link in LINK.findall(page.read_text(encoding="utf-8"))]


def read_scores(name: str) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads((ROOT / "docs" / "benchmark" / f"{name}.json").read_text(encoding="utf-8"))
    return scores


def heading_anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and MkDocs make them from plain words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short_and_begins_with_an_image() -> None:
    lines = README.splitlines()
    assert len(lines) <= MAX_LINES
    assert next(line for line in lines[1:] if line.strip()).startswith("![")


def test_the_readme_names_the_commands_that_ci_runs() -> None:
    assert {"make demo", "make test"} <= set(re.findall(r"^make \w+", README, re.MULTILINE))


@pytest.mark.parametrize(
    ("task", "split", "text"),
    [
        ("skin", "PH2", "{:.3f} on PH2"),
        ("skin", "ISIC 2018 val", "{:.3f} on ISIC 2018"),
        ("lung", "LungSegDB", "{:.3f} on LungSegDB"),
    ],
)
def test_accuracy_is_that_of_the_benchmark(task: str, split: str, text: str) -> None:
    row = next(row for row in read_scores(task)["rows"] if row["kind"] == "released")
    assert text.format(row["splits"][split]["label-free"]["dice"]["mean"]) in WORDS


def test_few_label_scores_are_those_of_the_benchmark() -> None:
    rows = {row["name"]: row["cells"] for row in read_scores("cardiac")["rows"]}
    for name in ("self-training by consistency", "scratch, thirteen times as long"):
        one, two = (f"{rows[name][patients]['dice']['mean']:.3f}" for patients in ("1", "2"))
        assert f"{one} or {two}" in WORDS


@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda part: getattr(part, "name", part))
def test_links_lead_somewhere(page: Path, link: str) -> None:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve()
    assert target.exists()
    if anchor:
        assert anchor in heading_anchors(target)
