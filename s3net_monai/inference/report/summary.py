"""The last line of a run: what came out, what was passed over and what to do next."""

from __future__ import annotations

from pathlib import Path

from s3net_monai.file_formats import HTML_REPORT_NAME
from s3net_monai.inference.report.report import Report
from s3net_monai.inference.report.review import consistency_cut, review_reasons


def closing_line(report: Report, output: Path, *, ignored: int = 0, labels: int = 0) -> str:
    """Return one line for the person who started the run.

    Args:
        report: of the run.
        output: its folder.
        ignored: number of files in the input that are no images.
        labels: number of files in the input that are labels of images.
    """
    counts = ", ".join(f"{report.count(status)} {status}" for status in ("ok", "failed", "skipped"))
    if complete := report.count("complete"):
        counts += f", {complete} complete from an earlier run"
    left_out = [
        (ignored, "file that is no image", "files that are no images"),
        (labels, "mask or label", "masks or labels"),
        (len(report.excluded), "series or file that was not chosen", "series or files that were not chosen"),
    ]
    passed = ", ".join(f"{number} {one if number == 1 else many}" for number, one, many in left_out if number)
    line = f"{counts} in {report.seconds:.1f} s; " + (f"passed over: {passed}; " if passed else "")
    return f"{line}next: {_next_step(report, output)}"


def _next_step(report: Report, output: Path) -> str:
    page = output / HTML_REPORT_NAME
    if report.interrupted:
        return f"continue with --resume; {page}"
    if report.count("failed"):
        return f"see why in {page}, and repeat the failed ones with --resume"
    cases = report.as_dict()["cases"]
    cut = consistency_cut(cases)
    to_review = sum(bool(review_reasons(case, cut)) for case in cases)
    if to_review:
        return f"review {to_review} {'case' if to_review == 1 else 'cases'} in {page}"
    return f"look at {page}"
