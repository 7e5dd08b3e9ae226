"""What an earlier run left in the output folder: masks that a new run must not overwrite, or leave, in silence."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any

from s3net_monai.file_formats import HTML_REPORT_NAME, LABEL_TABLE_NAME, MASK_ENDING, PREVIEW_SUFFIX, REPORT_NAME
from s3net_monai.inference.report.report import CaseReport, read_report
from s3net_monai.io import FORMATS
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.hashing import file_sha256
from s3net_monai.utils.output_paths import check_output_folder

MASK_ENDINGS = tuple(f"{MASK_ENDING}{file_format.extension}" for file_format in FORMATS.values())
CHANGED = ".changed-"  # and a number, behind the name of a file that was changed after the run
MAX_NAMED = 3


def check_output(output: Path, *, resume: bool, overwrite: bool, case_ids: Collection[str] | None = None) -> None:
    """Refuse an output folder that cannot be written to, or whose masks the run would overwrite unasked.

    Args:
        output: the folder of the run.
        resume: continue the run that left the masks; it needs that run's report.
        overwrite: masks may be overwritten.
        case_ids: only masks of these cases count, as those of other shards of the same run do not; None for all.

    Raises:
        UsageError: naming what is there and the options that allow it.
    """
    check_output_folder(output, (REPORT_NAME, HTML_REPORT_NAME, LABEL_TABLE_NAME))
    if overwrite:
        return
    masks = [path for path in result_files(output) if path.name.endswith(MASK_ENDINGS)]
    if case_ids is not None:
        masks = [path for path in masks if case_of(path.name) in case_ids]
    if not masks:
        return
    found = f"{output}: masks are there already ({named(path.name for path in masks)})"
    has_report = read_report(output) is not None
    if not resume:
        continued = "--resume continues that run, " if has_report else ""
        raise UsageError(f"{found}; {continued}--overwrite replaces them, or give another folder")
    if not has_report:
        raise UsageError(
            f"{found}, and no report.json of this version that --resume could continue; give another folder, or "
            "--overwrite to replace them"
        )


def result_files(output: Path) -> list[Path]:
    """Return the masks and previews in a folder by name, whoever wrote them."""
    endings = (*MASK_ENDINGS, PREVIEW_SUFFIX)
    return sorted(path for path in output.glob("*") if path.name.endswith(endings) and not path.name.startswith("."))


def case_of(name: str) -> str:
    """Return the identifier of the case that a mask or preview is named after."""
    ending = max((e for e in (*MASK_ENDINGS, PREVIEW_SUFFIX) if name.endswith(e)), key=len, default="")
    return name[: len(name) - len(ending)]


def of_other_cases(output: Path, case_ids: Collection[str]) -> list[str]:
    """Return the names of masks and previews of cases that are not part of the run."""
    return [path.name for path in result_files(output) if case_of(path.name) not in case_ids]


def mask_names(output: Path) -> list[str]:
    """Return the names of all masks in a folder, in any format and also those set aside, sorted."""
    return sorted(path.name for path in output.glob(f"*{MASK_ENDING}.*"))


def stale_mask_warnings(case_id: str, output: Path, written: Collection[str], earlier: Sequence[str]) -> list[str]:
    """Return a warning about files that could be taken for this run's mask of a case, in other formats or of a failure.

    Args:
        case_id: the case.
        output: folder of the run.
        written: names of the files that this run wrote for the case.
        earlier: ``mask_names`` before the run; to list the folder for every case would take longer with every case.
    """
    beginning = f"{case_id}{MASK_ENDING}."
    own = takewhile(lambda name: name.startswith(beginning), islice(earlier, bisect_left(earlier, beginning), None))
    names = [name for name in own if name not in written and os.path.lexists(output / name)]
    return [f"{', '.join(names)}: of an earlier run, not of this one"] if names else []


def file_record(path: Path) -> dict[str, Any]:
    """Return the size and the SHA-256 of a file that was written, by which ``changed_files`` knows it again."""
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def changed_files(entry: CaseReport, output: Path) -> list[str]:
    """Return the names of the files of an entry that are gone or are no longer as the run wrote them."""
    changed = []
    for key, name in entry.outputs.items():
        path, record = output / name, entry.files.get(key, {})
        same = path.is_file() and path.stat().st_size == record.get("bytes") and file_record(path) == record
        if not same:
            changed.append(name)
    return changed


def set_aside(output: Path, names: Iterable[str]) -> list[str]:
    """Rename files that someone may have corrected, so that a repeated case does not replace them.

    Returns:
        The new names. Files that are gone or empty are left out.
    """
    kept = []
    for name in names:
        path = output / name
        if path.is_file() and path.stat().st_size:
            number = next(number for number in count(1) if not os.path.lexists(f"{path}{CHANGED}{number}"))
            kept.append(f"{name}{CHANGED}{number}")
            path.rename(output / kept[-1])
    return kept


def named(names: Iterable[str]) -> str:
    """Return the first names and the number of the others."""
    listed = list(names)
    others = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + others
