"""Case identifiers that are unique, free of patient identifiers, and valid file names on every system."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from s3net_monai.file_formats import ARCHIVE_SUFFIXES, known_suffix
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.identifiers import redact
from s3net_monai.utils.pseudonyms import Pseudonyms

MAX_NAME_BYTES = 120  # file systems allow 255, and suffixes and temporary endings are appended
MAX_PARENTS = 3  # patient, study and series
_FORBIDDEN = '/\\:*?"<>|\ufffd'


def stem(path: Path) -> str:
    """Return a file's name without its image suffix (``.nii.gz`` counts as one), or a folder's full name."""
    if os.path.isdir(path):  # Path.is_dir raises for too long a path
        return path.resolve().name or "case"
    return path.name[: len(path.name) - len(known_suffix(path.name))] or path.name


def archive_stem(name: str) -> str:
    """Return an archive's name without its suffix, and any other name unchanged."""
    suffix = known_suffix(name)
    return name[: -len(suffix)] if suffix in ARCHIVE_SUFFIXES else name


def safe_name(text: str) -> str:
    """Turn ``text`` into a valid file name.

    Separators, control characters and format characters are replaced, leading dots and dashes are removed, and the
    length is limited to ``MAX_NAME_BYTES``.
    """
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        "_" if c in _FORBIDDEN or unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c for c in text
    )
    text = text.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    return re.sub(r"^[\s.\-]+|[\s.]+$", "", text) or "case"


def with_unique_ids(cases: Sequence[Case], pseudonyms: Pseudonyms) -> list[Case]:
    """Return the cases with identifiers that are valid file names and unique, even where case is ignored.

    A repeated identifier is prefixed with as many parent folders as are needed to make it unique, and numbered if
    that is not enough.
    """
    names = [_names(case, pseudonyms) for case in cases]
    counts = [Counter(name[depth].casefold() for name in names) for depth in range(MAX_PARENTS + 1)]
    used = {name[0].casefold() for name in names if counts[0][name[0].casefold()] == 1}
    next_numbers: dict[str, int] = {}  # of thousands of cases of one name, each would count from the start
    renamed: list[Case] = []
    for case, name in zip(cases, names, strict=True):
        if counts[0][name[0].casefold()] == 1:
            renamed.append(replace(case, case_id=name[0]))
            continue
        unique_depths = [d for d in range(1, MAX_PARENTS + 1) if counts[d][name[d].casefold()] == 1]
        base = name[unique_depths[0]] if unique_depths else name[1]
        candidate, number = base, next_numbers.get(base.casefold(), 2)
        while candidate.casefold() in used:
            candidate, number = f"{base}-{number}", number + 1
        next_numbers[base.casefold()] = number
        used.add(candidate.casefold())
        renamed.append(replace(case, case_id=candidate))
    return renamed


def _names(case: Case, pseudonyms: Pseudonyms) -> list[str]:
    """The case's name with no, one and more parent folders in front, without patient identifiers."""
    parents = Path(os.path.abspath(case.input)).parts[1:-1][-MAX_PARENTS:]
    parts = [archive_stem(part) for part in parents]
    # Of a shorter path, all folders are in front of several names.
    fronts = [parts[-depth:] if depth else [] for depth in range(MAX_PARENTS + 1)]
    return [safe_name(redact("_".join([*front, case.case_id]), case.identifiers, pseudonyms)) for front in fronts]
