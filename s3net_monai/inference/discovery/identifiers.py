"""Removal of identifiers from names, reports, messages and logs.

Every occurrence of a value that a DICOM header of the run states (``header_values``), in any of its usual spellings
(``spellings``), is replaced by a pseudonym (``pseudonyms``).

Limits: a value that no header of the run contains stays (a nickname in a folder name, the file name of a NIfTI or PNG
file without its DICOM series). So does a value of fewer than three letters and digits that is no part of a name, and
one that is only a word of DICOM or of this package (``COMMON_WORDS``). Masks in DICOM formats carry the patient's
header, as the standard requires, and must be protected like the images.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.spellings import (
    UID,
    Identifier,
    anchors,
    atoms,
    meaning_of,
    must_stand_alone,
    pattern,
    repeated_in,
    squashed_dates,
    stands_alone,
    uid,
)
from s3net_monai.utils.pseudonyms import PSEUDONYM, Pseudonyms

_SURROGATES = re.compile("[\ud800-\udfff]")  # stand for bytes of a file name that are not valid UTF-8
_OWN_WORD = re.compile(r"[a-z]+|\d{1,4}(?:[.,]\d+)?%?|\d+(?:x\d+)+")
_PUNCTUATION = "()[],;:.!?"
_KEY_LENGTH = 3
MAX_NAMES = 20  # of files of a case, all of which are searched


class _Match(NamedTuple):
    """A place where a pattern matches; matches are sorted by their start, then by the order of the patterns.

    Attributes:
        start: index of its first character in the folded text.
        number: number of the pattern.
        end: index after its last character in the folded text.
        first: index of its first character in the text.
        last: index after its last character in the text.
    """

    start: int
    number: int
    end: int
    first: int
    last: int


_compiled = lru_cache(maxsize=4096)(re.compile)


def redact(text: str, identifiers: Iterable[Identifier], pseudonyms: Pseudonyms) -> str:
    """Replace every identifier in a name or path by its pseudonym, in every spelling.

    If any identifiers are given, instance UIDs of all kinds are replaced as well. Without identifiers the text stays
    as it is, except for bytes of a file name that are not valid UTF-8, which no report could store.
    """
    return _replaced(text, identifiers, pseudonyms, is_kept=lambda text, first, last: False)


def redact_message(text: str, case: Case, pseudonyms: Pseudonyms) -> str:
    """Replace every identifier in a message about a case, and leave the message's own words.

    A word in small letters that stands alone, a number of up to four digits and a DICOM keyword are the message's own,
    except in the names of the case's files and folders. So "missing slice" stays for a patient of the name Slice.
    """
    names = [name for name in sorted(_names(case), key=len, reverse=True) if name in text]
    spans = [match.span() for name in names for match in re.finditer(re.escape(name), text)]

    def is_kept(text: str, first: int, last: int) -> bool:
        return not any(start < last and first < end for start, end in spans) and _is_own(text, first, last)

    return _replaced(text, case.identifiers, pseudonyms, is_kept=is_kept)


def reported_input(case: Case, pseudonyms: Pseudonyms) -> str:
    """Return the path of a case's input for reports and logs, without the identifiers of the run."""
    return redact(str(case.input), case.identifiers, pseudonyms)


def uids_in(path: Path) -> frozenset[Identifier]:
    """Return the UIDs in a path, the only known identifiers of a DICOM file that cannot be read."""
    return frozenset(identifier for found in re.findall(UID, str(path)) for identifier in uid(found))


class IdentifierIndex:
    """All identifiers of a run, by a part of them, to find those in a text without trying every one."""

    def __init__(self, identifiers: Iterable[Identifier]) -> None:
        self._by_key: dict[str, list[Identifier]] = defaultdict(list)
        for identifier in identifiers:
            parts = (
                squashed_dates(identifier.value) if identifier.kind == "date" else [max(anchors(identifier), key=len)]
            )
            for key in {part[-_KEY_LENGTH:] for part in parts}:
                self._by_key[key].append(identifier)

    def found_in(self, text: str) -> frozenset[Identifier]:
        """Return the identifiers whose parts are all in the text."""
        squashed = "".join(atoms(text))
        keys = {squashed[i : i + n] for n in range(1, _KEY_LENGTH + 1) for i in range(len(squashed) - n + 1)}
        candidates = (identifier for key in keys for identifier in self._by_key.get(key, ()))
        return frozenset(filter(repeated_in(text), candidates))


def texts_of(case: Case) -> str:
    """Return the texts of a case in which values of other headers may occur.

    Many slices that are named alike, up to their hexadecimal digits, repeat values of their own: one of them suffices.
    """
    names = [path.name for path in case.image]
    if len(names) > MAX_NAMES:
        names = list({re.sub("[0-9a-f]", "0", name.casefold()): name for name in names}.values())
    return "\n".join([os.path.abspath(case.input), *names, case.problem, case.selection])


def _names(case: Case) -> set[str]:
    paths = (case.input, *case.image)
    return {part for path in {Path(os.path.abspath(path)) for path in paths} for part in path.parts[1:]}


def _is_own(text: str, first: int, last: int) -> bool:
    first = text.rfind(" ", 0, first) + 1
    end = text.find(" ", last)
    words = [word.strip(_PUNCTUATION) for word in text[first : end if end >= 0 else len(text)].split()]
    if text[end:].startswith(" bytes") and words[-1].isdecimal():  # a size, which only the program states
        words.pop()
    return all(not word or _OWN_WORD.fullmatch(word) or _is_keyword(word) for word in words)


def _is_keyword(word: str) -> bool:
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(word) is not None


def _replaced(
    text: str, identifiers: Iterable[Identifier], pseudonyms: Pseudonyms, *, is_kept: Callable[[str, int, int], bool]
) -> str:
    text = _SURROGATES.sub("\ufffd", text)
    identifiers = frozenset(identifiers)
    if not identifiers:
        return text
    text = unicodedata.normalize("NFC", text)
    # Case folding may lengthen a character (ß), so every folded character keeps the index of its source.
    sources = [index for index, character in enumerate(text) for _ in character.casefold()]
    folded = text.casefold()
    present = sorted(filter(repeated_in(text), identifiers), key=_longest_first)
    patterns = [PSEUDONYM, UID, *map(pattern, present)]
    alone = [False, False, *map(must_stand_alone, present)]

    def find(number: int, start: int) -> _Match | None:
        """Return the next match of a pattern, with its place in the text."""
        while match := _compiled(patterns[number]).search(folded, start):
            first, last = sources[match.start()], sources[match.end() - 1] + 1
            is_made = number > 0 or text[first:last] in pseudonyms.originals  # or a folder only looks like a pseudonym
            if is_made and (not alone[number] or stands_alone(text, first, last)):
                return _Match(match.start(), number, match.end(), first, last)
            start = match.start() + 1
        return None

    matches = [match for number in range(len(patterns)) if (match := find(number, 0))]
    result, end = "", 0
    while matches:
        _, number, after, first, last = min(matches)
        if number > 0 and not is_kept(text, first, last):
            found = text[first:last]
            meaning = present[number - 2].meaning if number > 1 else meaning_of(found)
            result += text[end:first] + pseudonyms.of(meaning, found)
            end = last
            while end < len(text) and unicodedata.combining(text[end]):  # an accent of the last letter
                end += 1
        matches = [one for one in matches if one.start >= after] + [
            match for one in matches if one.start < after and (match := find(one.number, after))
        ]
    return result + text[end:]


def _longest_first(identifier: Identifier) -> tuple[int, Identifier]:
    return -len(identifier.value), identifier  # a shorter one first would leave a remainder of the longer one
