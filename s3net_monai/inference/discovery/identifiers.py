"""Keeping patient identifiers out of logs, file names and reports.

What is known to identify comes from DICOM headers: names, IDs, birth date, accession number, institution, UIDs. Every
occurrence in a text is replaced by ``anon-`` and six hexadecimal digits of a hash, so that runs over the same data
give the same names and a reader can still tell patients apart.

What this does protect against: someone who reads a report, a log or a file name learns no identifier. What it does
not: the hash has no secret, so someone who holds a list of candidates can test which of them fits. A name that no
header of the run states (a nickname in a folder name, the file name of a NIfTI or PNG without its DICOM series, dates
other than the birth date) stays.
Masks in DICOM formats carry the patient's header, as the standard demands, and belong where the images belong.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import Any

from s3net_monai.inference.discovery.cases import Case

NAME_KEYWORDS = ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName")
DOCTOR_KEYWORDS = ("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "PhysiciansOfRecord")
WHOLE_KEYWORDS = (
    "PatientID",
    "OtherPatientIDs",
    "AccessionNumber",
    "InstitutionName",
    "InstitutionAddress",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
)
DATE_KEYWORDS = ("PatientBirthDate",)
IDENTIFIER_KEYWORDS = (*NAME_KEYWORDS, *DOCTOR_KEYWORDS, *WHOLE_KEYWORDS, *DATE_KEYWORDS)

WHOLE_WORD_BELOW = 3  # characters; shorter tokens occur inside ordinary words
MAX_PERMUTED_PARTS = 3
_UMLAUTS = {ord(k): v for k, v in {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}.items()}
_PSEUDONYM = "anon-[0-9a-f]{6}"
_UNPAIRED = re.compile("[\ud800-\udfff]")  # how Python reads bytes that are no UTF-8
_SEPARATOR = r"[\s^=_,;.\-/\\]"
# Of any instance; the standard's own UIDs identify nobody.
_UID = re.compile(
    r"(?<!\d)(?<!\d\.)(?!1\.2\.840\.10008\.)[0-2](?:\.\d+){5,}"
)  # the standard's own UIDs identify nobody


def collect(header: Any) -> frozenset[str]:
    """The identifiers of one DICOM header (a ``pydicom.Dataset``): whole values, and the parts of names."""
    found: set[str] = set()
    for keyword in (*NAME_KEYWORDS, *DOCTOR_KEYWORDS):
        for name in _values(header, keyword):
            for variant in _spellings(name):
                parts = _parts(variant)
                found |= {variant, "^".join(parts[:2]), *parts}  # family and given name also without what follows
    for keyword in WHOLE_KEYWORDS:
        for value in _values(header, keyword):
            found |= _spellings(value)
    for keyword in DATE_KEYWORDS:
        # In parts, so that it is also found with separators and in another order.
        found |= {
            f"{value[:4]}-{value[4:6]}-{value[6:8]}" for value in _values(header, keyword) if len(value.strip()) == 8
        }
    # A single character, as of a middle name, identifies nobody, and is a word of its own in plain text.
    return frozenset(item for item in found if len("".join(_parts(item))) > 1)


def uids_in(path: Path) -> frozenset[str]:
    """UIDs that the names of a file and its folders hold: what is known of a DICOM file that cannot be read."""
    return frozenset(_UID.findall(str(path)))


def with_identifiers_of_others(cases: Sequence[Case]) -> list[Case]:
    """What has no header to tell its patient by gets those identifiers of all other cases that its path holds."""
    known = [(item, _parts(item)) for item in frozenset().union(*(case.identifiers for case in cases))]
    return [
        replace(case, identifiers=case.identifiers | _named_in(os.path.abspath(case.input), known))
        if case.identifiers <= uids_in(case.input)
        else case
        for case in cases
    ]


def _named_in(path: str, known: Iterable[tuple[str, tuple[str, ...]]]) -> frozenset[str]:
    folded = unicodedata.normalize("NFC", path).casefold()
    return frozenset(item for item, parts in known if parts and all(part in folded for part in parts))


def redact(text: str, identifiers: frozenset[str]) -> str:
    """``text`` with every identifier replaced by ``anon-`` and six digits, whatever its case.

    Parts of an identifier are also found with other separators between them, with none, and, up to three, in another
    order: ``Doe^Jane`` as ``JANE_DOE``. Where identifiers are given, instance UIDs of all kinds go, too. Tokens
    shorter than three characters are replaced as whole words only. Without identifiers the text stays as it is, but for
    the bytes of a file name that are no UTF-8, which no report could hold.
    """
    text = _UNPAIRED.sub("\ufffd", text)
    if not identifiers:
        return text
    text = unicodedata.normalize("NFC", text)
    # Folding may lengthen a character (ß), so every folded one knows which it came from.
    pairs = [(letter, index) for index, character in enumerate(text) for letter in character.casefold()]
    folded = "".join(letter for letter, _ in pairs)
    present = [item for item in identifiers if (parts := _parts(item)) and all(part in folded for part in parts)]
    patterns = [pattern for item in sorted(present, key=_order) for pattern in _patterns(item)]
    # What is a pseudonym already stays one.
    matcher = re.compile("|".join([_PSEUDONYM, _UID.pattern, *patterns]))
    result, end = "", 0
    for match in matcher.finditer(folded):
        first, last = pairs[match.start()][1], pairs[match.end() - 1][1]
        result += text[end:first] + _pseudonym(match[0])
        end = last + 1
    return result + text[end:]


def reported_input(case: Case) -> str:
    """How report and log name a case's input: free of the case's identifiers."""
    return redact(str(case.input), case.identifiers)


def _order(identifier: str) -> tuple[int, str]:
    return -len(identifier), identifier  # the longest first, so that no part of it stays


def _pseudonym(found: str) -> str:
    if re.fullmatch(_PSEUDONYM, found):
        return found
    # Sorted parts, so that one name has one pseudonym in whatever order it is written.
    parts = sorted(_parts(found))
    return "anon-" + hashlib.sha256("\0".join(["s3net", *parts]).encode()).hexdigest()[:6]


@lru_cache(maxsize=65536)
def _parts(identifier: str) -> tuple[str, ...]:
    """Case-folded parts between separators."""
    text = unicodedata.normalize("NFC", identifier).casefold()
    return tuple(part for part in re.split(f"{_SEPARATOR}+", text) if part)


@lru_cache(maxsize=4096)
def _patterns(identifier: str) -> tuple[str, ...]:
    parts = [re.escape(part) for part in _parts(identifier)]
    orders: Iterable[tuple[str, ...]] = [tuple(parts)]
    if len(parts) <= MAX_PERMUTED_PARTS:
        orders = sorted(set(permutations(parts)))
    patterns = [f"{_SEPARATOR}*".join(order) for order in orders]
    if len("".join(_parts(identifier))) < WHOLE_WORD_BELOW:
        patterns = [rf"(?<![^\W_])(?:{pattern})(?![^\W_])" for pattern in patterns]
    return tuple(patterns)


def _values(header: Any, keyword: str) -> Iterator[str]:
    value = header.get(keyword)
    if value is None or isinstance(value, str):
        values = [value]
    else:
        values = list(value) if hasattr(value, "__iter__") and not hasattr(value, "components") else [value]
    yield from (str(item).strip() for item in values if item is not None and str(item).strip())


def _spellings(text: str) -> set[str]:
    """As it stands, and as file names often write it: without accents, and with German umlauts spelled out."""
    text = unicodedata.normalize("NFC", text)
    spelled = text.translate(_UMLAUTS)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return {text, spelled, plain} - {""}
