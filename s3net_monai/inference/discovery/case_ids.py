"""Names for cases that are unique, free of identifiers, and file names everywhere."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.identifiers import redact
from s3net_monai.inference.discovery.input_formats import known_suffix
from s3net_monai.io.archive import ARCHIVE_SUFFIXES

MAX_BYTES = 120  # of a name; file systems take 255, and suffixes and temporary names are added
MAX_PARENTS = 3  # patient, study and series
_FORBIDDEN = '/\\:*?"<>|\ufffd'


def stem(path: Path) -> str:
    """File name without its image suffix, ``.nii.gz`` counting as one; a folder's whole name."""
    if path.is_dir():
        return path.resolve().name or "case"
    return path.name[: len(path.name) - len(known_suffix(path.name))] or path.name


def archive_stem(name: str) -> str:
    """The name of an archive without its suffix; any other name as it is."""
    suffix = known_suffix(name)
    return name[: -len(suffix)] if suffix in ARCHIVE_SUFFIXES else name


def safe_name(text: str) -> str:
    """``text`` as a file name: no separators, control or format characters, no leading dot or dash, limited length."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        "_" if c in _FORBIDDEN or unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c for c in text
    )
    text = text.encode()[:MAX_BYTES].decode(errors="ignore")
    return re.sub(r"^[\s.\-]+|[\s.]+$", "", text) or "case"


def with_unique_ids(cases: Sequence[Case]) -> list[Case]:
    """Ids made safe and unique whatever their case.

    Repeated ids get the names of their folders in front, as many as tell them apart, then a number.
    """
    names = [[_name(case, depth) for depth in range(MAX_PARENTS + 1)] for case in cases]
    counts = [Counter(name[depth].casefold() for name in names) for depth in range(MAX_PARENTS + 1)]
    taken = {name[0].casefold() for name in names if counts[0][name[0].casefold()] == 1}
    renamed: list[Case] = []
    for case, name in zip(cases, names, strict=True):
        if counts[0][name[0].casefold()] == 1:
            renamed.append(replace(case, case_id=name[0]))
            continue
        depths = [d for d in range(1, MAX_PARENTS + 1) if counts[d][name[d].casefold()] == 1]
        chosen = name[depths[0]] if depths else name[1]
        candidate, number = chosen, 2
        while candidate.casefold() in taken:
            candidate, number = f"{chosen}-{number}", number + 1
        taken.add(candidate.casefold())
        renamed.append(replace(case, case_id=candidate))
    return renamed


def _name(case: Case, depth: int) -> str:
    parents = Path(os.path.abspath(case.input)).parts[1:-1][-depth:] if depth else ()
    parts = [archive_stem(part) for part in parents]
    return safe_name(redact("_".join([*parts, case.case_id]), case.identifiers))
