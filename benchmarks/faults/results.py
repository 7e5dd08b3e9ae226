"""The files of a run, to be compared byte for byte with those of another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE, REPORT = "report.html", "report.json"


def results(output: Path) -> dict[str, bytes]:
    """Return the files of an output folder by name: of the report what does not tell when and in how many runs.

    Lock files stay in the folder and are left out; the page, which has the content of the report, counts as present.
    """
    files = {path.name: path for path in output.iterdir() if not path.name.endswith(".lock")}
    contents = {name: path.read_bytes() if path.is_file() else b"a folder" for name, path in files.items()}
    if PAGE in contents:
        contents[PAGE] = b""
    if REPORT in contents:
        report = json.loads(contents[REPORT])
        del report["summary"]
        report["cases"] = [_without_times(case) for case in report["cases"]]
        contents[REPORT] = json.dumps(report).encode()
    return contents


def differing(first: dict[str, bytes], second: dict[str, bytes]) -> list[str]:
    """Return the names of files that are not the same in two results."""
    return sorted(name for name in {**first, **second} if first.get(name) != second.get(name))


def _without_times(case: dict[str, Any]) -> dict[str, Any]:
    if case["status"] == "complete":  # from an earlier run, as the reason says
        case |= {"status": "ok", "reason": None}
    return {key: value for key, value in case.items() if key != "seconds"}
