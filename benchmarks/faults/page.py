"""Markdown page of the faults benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.common.markdown import table

TITLES = {
    "bit-flips": "Single bit flips in compressed files",
    "mutations": "Mutated files and edited headers",
    "kills": "Killed runs that are resumed",
    "server": "Servers without end",
    "identifiers": "Marked identifiers",
    "large-images": "Large images",
}
_WRONG = {
    "bit-flips": "accepted with other voxels or another place than the undamaged file",
    "mutations": "a traceback, a hang, or geometry or values changed in silence",
    "kills": "after `--resume`, files that are not those of an uninterrupted run byte for byte",
    "server": "more than 200 MB above the start, or no error in one line",
    "large-images": "a failed run, or more memory than `s3net segment` expects of such an image before it reads it",
    "identifiers": "a mark in the report, its page, a file name or a printed line",
}


def faults_page(result: Mapping[str, Any]) -> str:
    """Return the page of a result of ``run_faults``."""
    lines = [
        "# Faults",
        "",
        f"Made by `{result['command']}`. The .json file beside this page has all values. All input is made by the "
        "command itself, with fixed seeds.",
        "",
    ]
    head = ["measurement", "tried", "wrong"]
    lines += table(head, [[TITLES[name], str(row["tried"]), str(row["wrong"])] for name, row in result["rows"].items()])
    for name, row in result["rows"].items():
        lines += ["", f"## {TITLES[name]}", "", f"Wrong is: {_WRONG[name]}.", ""]
        kinds = row.get("kinds")
        if kinds:
            columns = list(dict.fromkeys(column for kind in kinds.values() for column in kind))
            lines += table(["kind", *columns], [[kind, *_cells(values, columns)] for kind, values in kinds.items()])
        plain = {key: value for key, value in row.items() if isinstance(value, (int, float, str))}
        lines += ["", "; ".join(f"{key.replace('_', ' ')} {value}" for key, value in plain.items()) + "."]
    return "\n".join(lines) + "\n"


def _cells(values: Mapping[str, Any], columns: list[str]) -> list[str]:
    return [str(values.get(column, "-")) for column in columns]
