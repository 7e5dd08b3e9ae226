"""``report.html``: the report as one page that works from disk, without a network connection."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from s3net_monai.file_formats import HTML_REPORT_NAME
from s3net_monai.inference.report.measures import MEASURES, Measure
from s3net_monai.inference.report.previews import outline_color
from s3net_monai.inference.report.review import LOW_CONSISTENCY, consistency_cut, review_reasons
from s3net_monai.io import FORMATS
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.messages import visible


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of measures.

    Attributes:
        key: the key in the ``measures`` of a case.
        class_name: the class; None for a task with one class.
        measure: how it is shown.
    """

    key: str
    class_name: str | None
    measure: Measure

    @property
    def title(self) -> str:
        """The heading without the unit."""
        return self.measure.title if self.class_name is None else f"{self.class_name}: {self.measure.title.lower()}"

    def value(self, measures: Mapping[str, Any]) -> float | None:
        """Return the number of one case; None where it has none."""
        value = measures.get(self.key)
        if self.class_name is not None and isinstance(value, Mapping):
            value = value.get(self.class_name)
        return value if isinstance(value, (int, float)) else None


def write_html_report(report: Mapping[str, Any], folder: Path) -> Path:
    """Write ``report.html`` into ``folder``, whole or not at all.

    Everything that comes from the data is escaped, links are relative and percent-encoded, and the page's content
    security policy forbids all connections and every script but its own.

    Args:
        report: the content of ``report.json``.
        folder: the folder that the paths in the report are relative to.

    Returns:
        The path of the page.
    """
    path = folder / HTML_REPORT_NAME
    with atomic_path(path) as temporary:
        temporary.write_text(render_html_report(report), encoding="utf-8")
    return path


def render_html_report(report: Mapping[str, Any]) -> str:
    """Return the page as HTML."""
    from markupsafe import Markup

    cases = report["cases"]
    columns = measure_columns([case.get("measures") or {} for case in cases])
    cut = consistency_cut(cases)
    rows = [_row(case, columns, review_reasons(case, cut)) for case in cases]
    script, style = _asset("report.js"), _asset("report.css")
    return _template().render(
        report=report,
        columns=columns,
        rows=rows,
        review_count=sum(bool(row["review"]) for row in rows),
        settings={name: _setting_text(value) for name, value in report.get("settings", {}).items()},
        legend=_legend(report.get("labels", [])),
        thumbnail_height=112 if any(column.key == "volume_ml" for column in columns) else 84,
        excluded=report.get("excluded", []),
        left=report.get("left", []),
        low_consistency=LOW_CONSISTENCY,
        script=Markup(script),
        style=Markup(style),
        policy=f"default-src 'none'; img-src 'self' file:; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'",
    )


@cache
def _template() -> Any:
    """Compile the template, once: that takes longer than a small case."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("s3net_monai.inference.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,  # markup stays as it is
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    return environment.get_template("report.html")


def measure_columns(measures: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return a column for every measure that some case has, in the order of ``MEASURES``, unknown ones last."""
    present = {key: None for values in measures for key in values}
    columns = []
    for key in [*(key for key in MEASURES if key in present), *(key for key in present if key not in MEASURES)]:
        class_names: dict[str | None, None] = {}
        for values in measures:
            value = values.get(key)
            class_names.update(dict.fromkeys(value if isinstance(value, Mapping) else [None] if key in values else []))
        measure = MEASURES.get(key, Measure(title=key, unit="", decimals=3, meaning=""))
        columns += [Column(key=key, class_name=name, measure=measure) for name in class_names]
    return columns


def duration(seconds: float) -> str:
    """Format seconds for people: 4.2 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, remainder = divmod(round(seconds), 60)
    return f"{minutes} min {remainder} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def relative_link(path: str) -> str:
    """Return a relative path as a link, percent-encoded so that it can name neither a scheme nor a host."""
    return "./" + quote(path)


def _legend(labels: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the name and the outline color of every label; none for a report that lists no labels."""
    return [(label["name"], "#{:02x}{:02x}{:02x}".format(*outline_color(label["rgb"]))) for label in labels]


def _row(case: Mapping[str, Any], columns: Sequence[Column], review: list[str]) -> dict[str, Any]:
    outputs = dict(case.get("outputs") or {})
    preview = outputs.pop("preview", None)
    measures = case.get("measures") or {}
    notes = [
        *([case["reason"]] if case.get("reason") else []),
        *(case.get("warnings") or []),
        *(case.get("notes") or []),
    ]
    return {
        "case": case,
        "review": review,
        "preview": relative_link(preview) if preview else None,
        "links": [(name, _format_title(name), relative_link(path)) for name, path in outputs.items()],
        "input_end": "/".join(Path(case["input"]).parts[-2:]),
        "cells": [(column, column.value(measures)) for column in columns],
        "notes": notes,
        "total": (case.get("seconds") or {}).get("total"),
        "selection": case.get("selection") or "",
    }


def _format_title(name: str) -> str:
    return FORMATS[name].title if name in FORMATS else name


def _setting_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)


def _asset(name: str) -> str:
    return files("s3net_monai.inference.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
