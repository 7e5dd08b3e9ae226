"""The last line of ``s3net prepare``: what came out, what was passed over and what to do next."""

from __future__ import annotations

import json
import os
from pathlib import Path

from s3net_monai.data.datalist import SECTIONS
from s3net_monai.utils.walk import walk


def prepared_line(datalist: Path, source: Path) -> str:
    """Return one line for the person who prepared a data set.

    Args:
        datalist: the datalist.json that was written.
        source: the folder that it was made from.
    """
    content = json.loads(datalist.read_text(encoding="utf-8"))
    counts = [f"{len(content[section])} for {section}" for section in SECTIONS if content.get(section)]
    total = sum(len(content.get(section, ())) for section in SECTIONS)
    passed_over = len(_files_below(source) - _files_of(content, datalist.parent))
    files, were = ("file", "was") if passed_over == 1 else ("files", "were")
    passed = f"; {passed_over} other {files} in {source} {were} passed over" if passed_over else ""
    return f"{total} cases: {', '.join(counts)}{passed}; next: train with --dataset_dir {datalist.parent}"


def _files_below(folder: Path) -> set[str]:
    return {
        os.path.join(os.path.abspath(parent), name)
        for parent, _, names in walk(folder)
        for name in names
        if not name.startswith(".")
    }


def _files_of(content: dict[str, list[dict[str, object]]], folder: Path) -> set[str]:
    """Return the files that the cases name; a folder of a series stands for the files directly in it."""
    files: set[str] = set()
    for entry in (entry for section in SECTIONS for entry in content.get(section, ())):
        for value in (entry["image"], entry.get("label")):
            for name in value if isinstance(value, list) else [value] if value else []:
                path = Path(os.path.abspath(folder / str(name)))
                files |= _files_below(path) if path.is_dir() else {str(path)}
    return files
