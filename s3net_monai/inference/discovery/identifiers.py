"""Removal of patient identifiers from logs, file names and reports.

Identifiers come from DICOM headers: names, IDs, birth date, accession number, institution and UIDs. Every occurrence
in a text is replaced by ``anon-`` and six hexadecimal digits of a hash, so that runs over the same data give the same
names and patients can still be told apart.

Protection: whoever reads a report, a log or a file name learns no identifier. Limits: the hash has no secret, so
whoever has a list of candidate names can test which of them fits. An identifier that no header of the run contains
stays (a nickname in a folder name, the file name of a NIfTI or PNG file without its DICOM series, dates other than the
birth date). Masks in DICOM formats carry the patient's header, as the standard requires, and must be protected like
the images.
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

MIN_SUBSTRING_LENGTH = 3  # characters; shorter identifiers occur inside ordinary words
MAX_PERMUTED_PARTS = 3
_UMLAUTS = {ord(k): v for k, v in {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}.items()}
_PSEUDONYM = "anon-[0-9a-f]{6}"
_SURROGATES = re.compile("[\ud800-\udfff]")  # stand for bytes of a file name that are not valid UTF-8
_SEPARATOR = r"[\s^=_,;.\-/\\]"
# UIDs of any kind except those that the DICOM standard defines, which identify nobody.
_UID = re.compile(r"(?<!\d)(?<!\d\.)(?!1\.2\.840\.10008\.)[0-2](?:\.\d+){5,}")


def collect_identifiers(header: Any) -> frozenset[str]:
    """Return the identifiers in one DICOM header (a ``pydicom.Dataset``): whole values, and the parts of names."""
    identifiers: set[str] = set()
    for keyword in (*NAME_KEYWORDS, *DOCTOR_KEYWORDS):
        for name in _values(header, keyword):
            for spelling in _spellings(name):
                parts = _parts(spelling)
                # Family and given name are an identifier also without the components that follow.
                identifiers |= {spelling, "^".join(parts[:2]), *parts}
    for keyword in WHOLE_KEYWORDS:
        for value in _values(header, keyword):
            identifiers |= _spellings(value)
    for keyword in DATE_KEYWORDS:
        # Year, month and day apart, so that the date is also found with separators and in another order.
        identifiers |= {
            f"{value[:4]}-{value[4:6]}-{value[6:8]}" for value in _values(header, keyword) if len(value.strip()) == 8
        }
    # A single character, such as a middle initial, identifies nobody and occurs as a word in ordinary text.
    return frozenset(item for item in identifiers if len("".join(_parts(item))) > 1)


def uids_in(path: Path) -> frozenset[str]:
    """Return the UIDs in a path, the only known identifiers of a DICOM file that cannot be read."""
    return frozenset(_UID.findall(str(path)))


def add_identifiers_of_paths(cases: Sequence[Case]) -> list[Case]:
    """Add the identifiers that a case's path shares with other cases to every case without a readable header.

    A NIfTI file states no patient, but its path may contain the name that the header of a DICOM series in the same run
    states.
    """
    all_identifiers = [(item, _parts(item)) for item in frozenset().union(*(case.identifiers for case in cases))]
    return [
        replace(case, identifiers=case.identifiers | _identifiers_in(os.path.abspath(case.input), all_identifiers))
        if case.identifiers <= uids_in(case.input)
        else case
        for case in cases
    ]


def _identifiers_in(path: str, identifiers: Iterable[tuple[str, tuple[str, ...]]]) -> frozenset[str]:
    folded = unicodedata.normalize("NFC", path).casefold()
    return frozenset(item for item, parts in identifiers if parts and all(part in folded for part in parts))


def redact(text: str, identifiers: frozenset[str]) -> str:
    """Replace every identifier in ``text`` by ``anon-`` and six digits, regardless of case.

    The parts of an identifier are also found with other separators between them or none and, for up to three parts, in
    another order: ``Doe^Jane`` as ``JANE_DOE``. If any identifiers are given, instance UIDs of all kinds are replaced
    as well. Identifiers shorter than three characters are replaced as whole words only. Without identifiers the text
    stays as it is, except for bytes of a file name that are not valid UTF-8, which no report could store.
    """
    text = _SURROGATES.sub("\ufffd", text)
    if not identifiers:
        return text
    text = unicodedata.normalize("NFC", text)
    # Case folding may lengthen a character (ß), so every folded character keeps the index of its source.
    folded_characters = [(letter, index) for index, character in enumerate(text) for letter in character.casefold()]
    folded = "".join(letter for letter, _ in folded_characters)
    present = [item for item in identifiers if (parts := _parts(item)) and all(part in folded for part in parts)]
    patterns = [pattern for item in sorted(present, key=_longest_first) for pattern in _patterns(item)]
    # Existing pseudonyms match first and are kept.
    matcher = re.compile("|".join([_PSEUDONYM, _UID.pattern, *patterns]))
    result, end = "", 0
    for match in matcher.finditer(folded):
        first, last = folded_characters[match.start()][1], folded_characters[match.end() - 1][1]
        result += text[end:first] + _pseudonym(match[0])
        end = last + 1
    return result + text[end:]


def reported_input(case: Case) -> str:
    """Return the path of a case's input for reports and logs, without the case's identifiers."""
    return redact(str(case.input), case.identifiers)


def _longest_first(identifier: str) -> tuple[int, str]:
    return -len(identifier), identifier  # a shorter one first would leave a remainder of the longer one


def _pseudonym(match: str) -> str:
    if re.fullmatch(_PSEUDONYM, match):
        return match
    # Sorted parts give a name the same pseudonym in any order.
    parts = sorted(_parts(match))
    return "anon-" + hashlib.sha256("\0".join(["s3net", *parts]).encode()).hexdigest()[:6]


@lru_cache(maxsize=65536)
def _parts(identifier: str) -> tuple[str, ...]:
    """The case-folded parts between separators."""
    text = unicodedata.normalize("NFC", identifier).casefold()
    return tuple(part for part in re.split(f"{_SEPARATOR}+", text) if part)


@lru_cache(maxsize=4096)
def _patterns(identifier: str) -> tuple[str, ...]:
    parts = [re.escape(part) for part in _parts(identifier)]
    orders: Iterable[tuple[str, ...]] = [tuple(parts)]
    if len(parts) <= MAX_PERMUTED_PARTS:
        orders = sorted(set(permutations(parts)))
    patterns = [f"{_SEPARATOR}*".join(order) for order in orders]
    if len("".join(_parts(identifier))) < MIN_SUBSTRING_LENGTH:
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
    """The text itself and its usual spellings in file names: without accents, and with German umlauts spelled out."""
    text = unicodedata.normalize("NFC", text)
    transliterated = text.translate(_UMLAUTS)
    without_accents = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return {text, transliterated, without_accents} - {""}
