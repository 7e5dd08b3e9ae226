"""What an earlier run left in the output folder: masks that a new run must not overwrite, or leave, in silence."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterable
from pathlib import Path

from s3net_monai.file_formats import HTML_REPORT_NAME, LABEL_TABLE_NAME, MASK_ENDING, PREVIEW_SUFFIX, REPORT_NAME
from s3net_monai.inference.report.report import read_report
from s3net_monai.io import FORMATS
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.output_paths import check_output_folder

MASK_ENDINGS = tuple(f"{MASK_ENDING}{file_format.extension}" for file_format in FORMATS.values())
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


def stale_mask_warnings(case_id: str, output: Path, written: Collection[str]) -> list[str]:
    """Return a warning about files that could be taken for this run's mask of a case, in other formats or of a failure.

    Args:
        case_id: the case.
        output: folder of the run.
        written: names of the files that this run wrote for the case.
    """
    names = sorted(
        path.name for path in output.glob(f"{glob.escape(case_id)}{MASK_ENDING}.*") if path.name not in written
    )
    return [f"{', '.join(names)}: of an earlier run, not of this one"] if names else []


def named(names: Iterable[str]) -> str:
    """Return the first names and the number of the others."""
    listed = list(names)
    others = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + others
