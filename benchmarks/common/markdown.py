"""Tables, numbers and figures in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table of numbers whose first column is text."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def number(value: float | None, digits: int = 3) -> str:
    """Return a value with a fixed number of decimals, or a hyphen for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval_text(ends: Sequence[float] | None, sign: str = "") -> str:
    """Return `` (low to high)``, or nothing for None.

    ``sign`` is "+" to show the sign of positive ends.
    """
    return "" if ends is None else f" ({ends[0]:{sign}.3f} to {ends[1]:{sign}.3f})"


def spread_text(std: float | None) -> str:
    """Return `` ± std``, or nothing for None."""
    return "" if std is None else f" ± {std:.3f}"


def p_text(p: float | None) -> str:
    """Return ``, p = value`` with two significant digits, or nothing for None."""
    return "" if p is None else f", p = {p:.2g}"


def figure_link(title: str, path: Path | None) -> list[str]:
    """Return the lines that show a figure which lies beside the page, none for None."""
    return [] if path is None else ["", f"![{title}]({path.name})"]
