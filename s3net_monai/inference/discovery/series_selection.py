"""Rules that select the series of a study: conditions on their headers, from a JSON file or by default."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s3net_monai.inference.discovery.identifying_attributes import may_be_shown
from s3net_monai.io.dicom.header import quote_term
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.reasons import in_words

# Computed for a series; every other key is a DICOM keyword.
DERIVED_KEYS = ("Orientation", "NumberOfSlices", "NumberOfPhases")
ORIENTATIONS = ("axial", "coronal", "sagittal", "oblique", "unknown")
CHOICES = ("most-slices", "all")
MAX_REGEX_LENGTH = 200
MAX_TEXT_LENGTH = 1024  # the longest short text of DICOM (PS3.5 section 6.2)
# A quantified group that contains a quantifier: matching it can take exponential time.
_NESTED_QUANTIFIER = re.compile(r"[+*}][^()]*\)[+*{]")

Values = tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """One test of one attribute.

    Attributes:
        keyword: DICOM keyword, "Orientation" (axial, coronal, sagittal, oblique, unknown), "NumberOfSlices" or
            "NumberOfPhases".
        test: a key of ``TESTS``.
        expected: the value in the rule, as parsed from JSON.
    """

    keyword: str
    test: str
    expected: Any

    def failure(self, attributes: Mapping[str, Values]) -> str:
        """Return why a series with these attributes fails the condition, or an empty string if it satisfies it.

        Values of attributes that identify, or that are free text, are not quoted, nor what the rule expects of them.
        """
        values = attributes.get(self.keyword, ())
        is_shown = self.keyword in DERIVED_KEYS or may_be_shown(self.keyword)
        expectation = f"{self._expectation()} expected" if is_shown else f"the rule '{self.test}' needs it"
        if not values and self.test != "not_in":
            return f"{self.keyword} is absent, {expectation}"
        if TESTS[self.test](values, self.expected):
            return ""
        if not is_shown:
            return f"{self.keyword} does not meet the rule '{self.test}'"
        return f"{self.keyword} is {', '.join(map(_shown, values))}, {expectation}"

    def _expectation(self) -> str:
        if self.test == "equals":
            return _plain(self.expected)
        if self.test == "range":
            return "range " + " to ".join("any" if limit is None else _plain(limit) for limit in self.expected)
        return f"{self.test.replace('_', ' ')} {_plain(self.expected)}"


@dataclass(frozen=True)
class Selection:
    """The rules that select which series of each study become cases.

    Attributes:
        conditions: all of them must hold.
        choose: which of the series that satisfy them to select: the one with "most-slices", or "all".
        name: the name of these rules in messages.
        takes_closest: whether a series that fails some condition is taken where none meets them all.
        takes_alike: whether then all series are taken that fail the same, of as many slices and phases: some scanners
            store every slice, or every phase, of one scan as a series.
    """

    conditions: tuple[Condition, ...]
    choose: Literal["most-slices", "all"]
    name: str
    takes_closest: bool = False
    takes_alike: bool = False

    @property
    def keywords(self) -> tuple[str, ...]:
        """DICOM keywords that must be read from the headers."""
        return tuple(c.keyword for c in self.conditions if c.keyword not in DERIVED_KEYS)

    def failures(self, attributes: Mapping[str, Values]) -> tuple[str, ...]:
        """Return one failure per condition, in order; all are empty for a series that may be selected."""
        return tuple(condition.failure(attributes) for condition in self.conditions)


def _as_list(expected: Any) -> list[str]:
    return [_plain(item) for item in (expected if isinstance(expected, list) else [expected])]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _shown(value: str) -> str:
    """Return a number or one of our own values as it is; a code only where it is one."""
    return value if _numbers((value,)) or value in ORIENTATIONS else quote_term(value)


def _numbers(values: Values) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError:
        return []


def _same(value: str, expected: str) -> bool:
    numbers = _numbers((value, expected))
    return numbers[0] == numbers[1] if numbers else value == expected


def _equals(values: Values, expected: Any) -> bool:
    expected_values = _as_list(expected)
    return len(values) == len(expected_values) and all(map(_same, values, expected_values))


def _is_in(values: Values, expected: Any) -> bool:
    return any(_same(value, item) for value in values for item in _as_list(expected))


def _contains(values: Values, expected: Any) -> bool:
    return all(any(_same(value, item) for value in values) for item in _as_list(expected))


def _matches(values: Values, expected: Any) -> bool:
    return any(re.search(expected, value[:MAX_TEXT_LENGTH]) for value in values)


def _in_range(values: Values, expected: Any) -> bool:
    low, high = expected
    numbers = _numbers(values)
    return bool(numbers) and all(
        (low is None or number >= low) and (high is None or number <= high) for number in numbers
    )


TESTS: dict[str, Callable[[Values, Any], bool]] = {
    "equals": _equals,
    "regex": _matches,
    "range": _in_range,
    "in": _is_in,
    "not_in": lambda values, expected: not _is_in(values, expected),
    "contains": _contains,
}

# In descending weight, which decides which series is closest if none of a study satisfies all conditions.
DEFAULT = Selection(
    conditions=(
        Condition("Modality", "equals", "CT"),
        Condition("ImageType", "not_in", ["LOCALIZER", "SCOUT"]),
        Condition("Orientation", "equals", "axial"),
        Condition("ImageType", "contains", ["PRIMARY"]),
        Condition("ImageType", "not_in", ["DERIVED", "SECONDARY"]),
    ),
    choose="most-slices",
    name="primary axial CT",
    takes_closest=True,
)
CINE = Selection(
    conditions=(
        Condition("Modality", "equals", "MR"),
        Condition("ImageType", "not_in", ["LOCALIZER", "SCOUT"]),
        Condition("NumberOfPhases", "range", [2, None]),
        Condition("NumberOfSlices", "range", [2, None]),
        Condition("ImageType", "contains", ["PRIMARY"]),
    ),
    choose="most-slices",
    name="primary cine stack of MR",
    takes_closest=True,
    takes_alike=True,
)


def default_rules(modality: str) -> Selection:
    """Return the rules that select series of a modality where the user gives none."""
    return CINE if modality == "MR" else DEFAULT


def read_rules(path: Path) -> Selection:
    """Read selection rules from a JSON file.

    Its form is ``{"conditions": {KEYWORD: {TEST: VALUE}}, "choose": "most-slices" or "all"}``. KEYWORD is
    "Orientation", "NumberOfSlices", "NumberOfPhases", or the DICOM keyword of an attribute at the top level of the
    data set. The tests are "equals" (a value, or the list of all values), "in" and "not_in" (a list that contains any
    or none of the values), "contains" (a list of which all are among the values), "regex" (matches anywhere in any
    value) and "range" ([low, high], null for no limit). An absent attribute satisfies "not_in" only.

    Raises:
        UsageError: naming the file, the key, the value and the expected value.
    """
    try:
        rules = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: rules not readable ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {in_words(error, 'rules are not valid JSON', 'correct the file')}") from error
    if not isinstance(rules, dict):
        raise UsageError(f"{path}: {_kind(rules)} found, an object with 'conditions' expected")
    unknown = sorted(set(rules) - {"conditions", "choose"})
    if unknown:
        raise UsageError(f"{path}: key '{unknown[0]}' found, 'conditions' and 'choose' expected")
    choose = rules.get("choose", "most-slices")
    if choose not in CHOICES:
        raise UsageError(f"{path}: choose: {choose!r} found, one of {', '.join(CHOICES)} expected")
    conditions = rules.get("conditions", {})
    if not isinstance(conditions, dict):
        raise UsageError(f"{path}: conditions: {_kind(conditions)} found, an object expected")
    checked = tuple(
        _condition(path, keyword, test=test, expected=expected)
        for keyword, tests in conditions.items()
        for test, expected in _tests(path, keyword, tests).items()
    )
    return Selection(checked, choose, path.name)


def _tests(path: Path, keyword: str, tests: Any) -> dict[str, Any]:
    from pydicom.datadict import tag_for_keyword

    if keyword not in DERIVED_KEYS and tag_for_keyword(keyword) is None:
        raise UsageError(
            f"{path}: conditions: '{keyword}' found, a DICOM keyword or one of {', '.join(DERIVED_KEYS)} expected"
        )
    if not isinstance(tests, dict) or not tests:
        raise UsageError(f'{path}: {keyword}: {_kind(tests)} found, a test expected, such as {{"equals": "CT"}}')
    return tests


def _condition(path: Path, keyword: str, *, test: str, expected: Any) -> Condition:
    location = f"{path}: {keyword}: {test}"
    if test not in TESTS:
        raise UsageError(f"{location} found, one of {', '.join(TESTS)} expected")
    if test == "regex":
        _check_regex(location, expected)
    elif test == "range":
        if not _is_range(expected):
            raise UsageError(f"{location}: {expected!r} found, [low, high] expected with low at most high, or null")
    elif test == "equals" and _is_scalar(expected):
        pass
    elif not isinstance(expected, list) or not expected or not all(map(_is_scalar, expected)):
        raise UsageError(f"{location}: {_kind(expected)} found, a list of strings or numbers expected")
    return Condition(keyword, test, expected)


def _check_regex(location: str, expected: Any) -> None:
    if not isinstance(expected, str) or len(expected) > MAX_REGEX_LENGTH:
        raise UsageError(f"{location}: a regular expression of at most {MAX_REGEX_LENGTH} characters expected")
    if _NESTED_QUANTIFIER.search(expected):
        raise UsageError(f"{location}: {expected!r} nests repetitions, which can take forever; use one level only")
    try:
        re.compile(expected)
    except (re.error, OverflowError, RecursionError) as error:
        found = f"{expected!r} is not a valid regular expression"
        raise UsageError(f"{location}: {in_words(error, found, 'correct it')}") from error


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_range(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    limits = [limit for limit in value if limit is not None]
    return all(_is_scalar(limit) and not isinstance(limit, str) for limit in limits) and limits == sorted(limits)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a string", type(None): "null"}.get(type(value), repr(value))
