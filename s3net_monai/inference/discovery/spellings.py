"""Identifiers, and the spellings in which paths repeat them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import permutations, product
from typing import Literal, NamedTuple

from s3net_monai.inference.discovery.identifying_attributes import COMMON_WORDS
from s3net_monai.inference.discovery.letters import spellings_of

MIN_LENGTH = 3  # letters and digits; what is shorter identifies nobody, names apart
MIN_FREE_LENGTH = 6  # letters and digits; a shorter name or value is not looked for inside longer words and numbers
MIN_EMBEDDED_DIGITS = 6  # of a number in a text that is taken for a number of a person
MAX_PERMUTED_PARTS = 3
MAX_LENGTH = 1024  # characters; a longer value is in no path as a whole
MAX_TEXT = 10_240  # characters of a value, whose lines, parts and numbers are looked for
MAX_COUNTRY_CODE = 3  # digits, as of ITU-T E.164
SEPARATOR = r"[\W_]"
# UIDs of any kind except those that the DICOM standard defines, which identify nobody.
UID = r"(?<!\d)(?<!\d\.)(?!1\.2\.840\.10008\.)[0-2](?:\.\d+){5,}"

Kind = Literal["name", "date", "time", "value"]

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_ATOMS = re.compile(r"[^\W\d_]+|\d+")


class Identifier(NamedTuple):
    """One value that must not be shown.

    Attributes:
        kind: what decides how it may be spelled: the parts of a name in any order, a date or a time in several forms,
            any other value as it is.
        value: the value, in one spelling of its letters; YYYYMMDD for a date, HHMMSS for a time.
        meaning: what its pseudonym stands for, the same for all spellings.
    """

    kind: Kind
    value: str
    meaning: str


def names(text: str) -> Iterator[Identifier]:
    """Yield the identifiers in a person's name (PS3.5 section 6.2.1): whole, family and given name, each part."""
    for group in text[:MAX_TEXT].split("="):
        components = [tuple(_words(component)) for component in group.split("^")]
        parts = [part for component in components for part in component]
        # Of more words than are permuted, such as "van der Berg^Jo Anna", the components still are.
        family, given = (*components, (), ())[:2]
        for some in {tuple(parts), tuple(parts[:2]), given + family, *components, *((part,) for part in parts)}:
            if len(some) > 1 or _is_name(some):
                for spelled in spellings_of("^".join(some)):
                    yield Identifier("name", spelled, meaning_of("\0".join(sorted(map(meaning_of, some)))))


def _is_name(parts: tuple[str, ...]) -> bool:
    text = "".join(parts).casefold()
    # A single character, such as a middle initial, identifies nobody and occurs as a word in ordinary text.
    return len(text) >= (MIN_LENGTH if text.isdecimal() else 2) and text not in COMMON_WORDS


def date(text: str) -> Iterator[Identifier]:
    """Yield the date at the beginning of a DA or DT value (PS3.5 section 6.2), also of the old form YYYY.MM.DD."""
    match = re.match(r"((?:1[89]|20|21)\d\d)\.?(0[1-9]|1[0-2])\.?(0[1-9]|[12]\d|3[01])", text.strip())
    if match:
        yield Identifier("date", "".join(match.groups()), "".join(match.groups()))


def time(text: str) -> Iterator[Identifier]:
    """Yield the time of day in a TM value; hours and minutes alone are too common."""
    match = re.match(r"([01]\d|2[0-3]):?([0-5]\d):?([0-5]\d|60)", text.strip())
    if match and any(map(int, match.groups())):  # midnight is what is stored where the time is not known
        yield Identifier("time", "".join(match.groups()), "".join(match.groups()))


def value(text: str) -> Iterator[Identifier]:
    """Yield any other value as a whole: free text, a code, an address, a number, a UID."""
    if len(text) > MAX_LENGTH:
        return
    squashed = "".join(atoms(text))
    if len(squashed) >= MIN_LENGTH and squashed not in COMMON_WORDS:
        for spelled in spellings_of(text):
            yield Identifier("value", spelled, meaning_of(text))
        yield from _national_number(text)


def embedded(text: str) -> Iterator[Identifier]:
    """Yield the long numbers inside a text, such as the telephone number in a comment."""
    for number in re.findall(r"\+?\d[\d /().-]*\d", text[:MAX_TEXT]):
        if len(re.sub(r"\D", "", number)) >= MIN_EMBEDDED_DIGITS:
            yield from value(number)
            yield from date(number)


def pieces(text: str) -> Iterator[Identifier]:
    """Yield the lines and parts of an address, each as a value."""
    for piece in re.split(r"[,;^\r\n\t\f|]+|\s{2,}", text[:MAX_TEXT]):
        yield from value(piece)


def uid(text: str) -> Iterator[Identifier]:
    """Yield a UID, and its last component where that is long, as in the names of some files."""
    if not text.startswith("1.2.840.10008."):
        yield from value(text)
        last = text.rpartition(".")[2]
        if len(last) >= 8:
            yield from value(last)


def _national_number(text: str) -> Iterator[Identifier]:
    """Yield a telephone number without the code of its country, also one whose digits are written in one run."""
    first, *others = atoms(text) or ("",)
    if not text.lstrip("( ").startswith(("+", "00")) or not "".join((first, *others)).isdecimal():
        return
    first = first.removeprefix("00")
    is_code = others and len(first) <= MAX_COUNTRY_CODE
    for length in (len(first),) if is_code else range(1, MAX_COUNTRY_CODE + 1):
        national = "".join((first[length:], *others)).lstrip("0")
        if len(national) >= MIN_FREE_LENGTH:
            yield Identifier("value", national, meaning_of(text))


def meaning_of(text: str) -> str:
    """Return what a pseudonym stands for: letters and digits, without case and separators."""
    return "\0".join(atoms(text))


@lru_cache(maxsize=1 << 18)
def atoms(text: str) -> tuple[str, ...]:
    """Return the runs of letters and of digits in a text, without regard to case."""
    return tuple(_ATOMS.findall(unicodedata.normalize("NFC", text).casefold()))


def _words(text: str) -> list[str]:
    return [word for word in re.split(f"{SEPARATOR}+", unicodedata.normalize("NFC", text)) if word]


def anchors(identifier: Identifier) -> tuple[str, ...]:
    """Return parts that all spellings of an identifier contain, once separators are left out; of a date, its year."""
    if identifier.kind == "date":
        return (identifier.value[2:4],)
    if identifier.kind == "time":
        return (identifier.value,)
    return tuple(part.lstrip("0") or part for part in atoms(identifier.value))


def repeated_in(text: str) -> Callable[[Identifier], bool]:
    """Return a test of whether a text may hold a spelling of an identifier; it is quick, and never wrongly false."""
    squashed = "".join(atoms(text))

    def is_repeated(identifier: Identifier) -> bool:
        if not all(part in squashed for part in anchors(identifier)):
            return False
        return identifier.kind != "date" or any(form in squashed for form in squashed_dates(identifier.value))

    return is_repeated


@lru_cache(maxsize=4096)
def squashed_dates(digits: str) -> frozenset[str]:
    """Return all spellings of a date without separators."""
    year, month, day = digits[:4], digits[4:6], digits[6:]
    name = _MONTHS[int(month) - 1]
    parts = product((year, year[2:]), (month, str(int(month)), name, name[:3]), (day, str(int(day))))
    return frozenset("".join(order) for y, m, d in parts for order in ((y, m, d), (d, m, y), (m, d, y)))


@lru_cache(maxsize=4096)
def pattern(identifier: Identifier) -> str:
    """Return a regular expression for all spellings of an identifier in text without capital letters."""
    if identifier.kind == "date":
        return _date_pattern(identifier.value)
    if identifier.kind == "time":
        hours, minutes, seconds = (identifier.value[i : i + 2] for i in (0, 2, 4))
        digits = rf"{hours}{SEPARATOR}?{minutes}{SEPARATOR}?{seconds}(?:[.,]?\d{{1,6}})?(?!\d)"
        after_date = rf"(?<=(?<!\d)\d{{8}})|(?<={SEPARATOR}\d\d)|(?<={SEPARATOR}\d{{4}})"
        return rf"(?:(?<!\d)|{after_date}){digits}"
    if identifier.kind == "name":
        words = _words(identifier.value)
        orders: Iterable[tuple[str, ...]] = [tuple(words)]
        if len(words) <= MAX_PERMUTED_PARTS:
            orders = sorted(set(permutations(words)))
        found = "|".join(_joined(part for word in order for part in atoms(word)) for order in orders)
        return f"(?:{found})"
    return _value_pattern(identifier.value)


def _value_pattern(text: str) -> str:
    parts = atoms(text)
    digits = "".join(parts)
    stripped = digits.lstrip("0")
    if digits.isdecimal() and len(stripped) >= MIN_FREE_LENGTH:
        return "0*" + rf"{SEPARATOR}{{0,2}}".join(stripped)
    if digits.isdecimal() and len(parts) == 1 and len(stripped) >= MIN_LENGTH:
        return rf"(?<!\d)0*{stripped}(?!\d)"
    return f"(?:{_joined(parts)})"


def must_stand_alone(identifier: Identifier) -> bool:
    """Return whether an identifier is so short that it occurs inside ordinary words.

    Scripts without capital letters, such as Chinese, do not part their words.
    """
    if identifier.kind in ("date", "time"):
        return False
    letters = "".join(atoms(identifier.value))
    has_case = letters.isdecimal() or letters.upper() != letters.lower()
    return len(letters) < (MIN_FREE_LENGTH if has_case or identifier.kind == "value" else MIN_LENGTH)


def stands_alone(text: str, first: int, last: int) -> bool:
    """Return whether ``text[first:last]`` is a word or number of its own.

    Words end at anything but a letter, and in camel case before a capital letter; numbers end at anything but a digit.
    """
    return _is_end(text, first) and _is_end(text, last)


def _is_end(text: str, index: int) -> bool:
    before, after, next_one = text[max(0, index - 1) : index], text[index : index + 1], text[index + 1 : index + 2]
    if before.isalpha() and after.isalpha():
        return after.isupper() and (before.islower() or next_one.islower())
    return not (before.isdecimal() and after.isdecimal())


def _date_pattern(digits: str) -> str:
    year, month, day = digits[:4], digits[4:6], digits[6:]
    name = _MONTHS[int(month) - 1]
    orders = ("{y}{gap}{m}{gap}{d}", "{d}{gap}{m}{gap}{y}", "{m}{gap}{d}{gap}{y}")
    # Eight digits may be followed by others, such as those of a time; everything else stands alone.
    forms = [order.format(y=year, m=month, d=day, gap=f"{SEPARATOR}*") for order in orders]
    alone = [order.format(y=year[2:], m=month, d=day, gap="") for order in orders]
    years, days = f"(?:{year[:2]})?{year[2:]}", f"0?{int(day)}"
    gap = f"{SEPARATOR}+"
    alone += [order.format(y=years, m=f"(?:0?{int(month)}|{name}|{name[:3]})", d=days, gap=gap) for order in orders]
    alone.append(f"{days}{SEPARATOR}*(?:{name}|{name[:3]}){SEPARATOR}*{years}")
    return "|".join([*(rf"(?<!\d)(?:{form})(?!\d)" for form in reversed(alone)), *forms])


def _joined(parts: Iterable[str]) -> str:
    return f"{SEPARATOR}*".join(map(re.escape, parts))
