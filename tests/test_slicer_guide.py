"""The Slicer guide names every label as the label table has it, and shows pictures that are there and small."""

from __future__ import annotations

import re

from s3net_monai.tasks import TASKS
from tests.helpers.paths import ROOT

DOCS = ROOT / "docs"
GUIDE = (DOCS / "slicer.md").read_text(encoding="utf-8")
MAX_BYTES = 150_000


def test_labels_are_those_of_the_table() -> None:
    for task in TASKS.values():
        for label in task.labels:
            color, code = ", ".join(map(str, label.rgb)), f"{label.type.value} {label.type.meaning}"
            assert f"| {task.name} | {label.value} | {label.name} | {color} | {code} |" in GUIDE


def test_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"\]\((pictures/[^)]+)\)", GUIDE)
    assert len(pictures) == len(TASKS)
    assert all((DOCS / picture).stat().st_size < MAX_BYTES for picture in pictures)
