"""Fill the tables of formats and measures from the code that reads, writes and measures.

A block begins with <!-- formats --> or <!-- measures --> and ends with <!-- end -->.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from s3net_monai.file_formats import INPUTS
from s3net_monai.inference.report.measures import MEASURES
from s3net_monai.io import FORMATS
from s3net_monai.utils.printing import ArgumentParser, print_note

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("docs/formats.md", "docs/segment.md")
BLOCK = re.compile(r"<!-- (formats|measures) -->\n.*?<!-- end -->", re.DOTALL)


def formats() -> str:
    """What is read, and what is written."""
    read = [(format_.title, _code(format_.suffixes), format_.holds) for format_ in INPUTS.values()]
    written = [
        (format_.title, f"`--formats {name}`", f"`<case>_seg{format_.extension}`", format_.holds)
        for name, format_ in FORMATS.items()
    ]
    return "\n\n".join(
        [
            _table(("read", "files", "what is taken"), read),
            _table(("written", "by", "file", "what it holds"), written),
        ]
    )


def measures() -> str:
    """The numbers of the report."""
    rows = [(f"`{key}`", measure.unit or "-", measure.meaning) for key, measure in MEASURES.items()]
    return _table(("in report.json", "unit", "what it is"), rows)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (heads, *rows)]
    lines.insert(1, "|---" * len(heads) + "|")
    return "\n".join(lines)


def filled(text: str) -> str:
    """The page with every block made anew."""
    make = {"formats": formats, "measures": measures}
    return BLOCK.sub(lambda found: f"<!-- {found[1]} -->\n\n{make[found[1]]()}\n\n<!-- end -->", text)


def main(check: bool) -> int:
    """Write the tables into the pages, or only tell which pages differ; return the exit code."""
    stale = [page for page in PAGES if filled(text := (ROOT / page).read_text(encoding="utf-8")) != text]
    for page in stale:
        if check:
            print_note(f"{page}: its tables differ from the code; run scripts/write_formats.py")
        else:
            (ROOT / page).write_text(filled((ROOT / page).read_text(encoding="utf-8")), encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    _parser = ArgumentParser(description=__doc__)
    _parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a table differs")
    sys.exit(main(_parser.parse_args().check))
