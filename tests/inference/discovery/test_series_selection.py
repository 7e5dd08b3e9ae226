"""Selection rules: their tests, their default, and the messages about invalid ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s3net_monai.inference import UsageError
from s3net_monai.inference.discovery.series_selection import DEFAULT, Condition, read_rules

AXIAL_CT = {"Modality": ("CT",), "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"), "Orientation": ("axial",)}


def rules_file(folder: Path, rules: Any) -> Path:
    path = folder / "rules.json"
    path.write_text(rules if isinstance(rules, str) else json.dumps(rules))
    return path


@pytest.mark.parametrize(
    ("test", "expected", "values", "holds"),
    [
        ("equals", "CT", ("CT",), True),
        ("equals", "CT", ("MR",), False),
        ("equals", "CT", ("CT", "MR"), False),
        ("equals", ["A", "B"], ("A", "B"), True),
        ("equals", ["A", "B"], ("B", "A"), False),
        ("equals", 1.5, ("1.50",), True),
        ("equals", "1.5", ("1.500",), True),
        ("regex", "(?i)lung", ("Chest LUNG 1.0",), True),
        ("regex", "^lung", ("Chest lung",), False),
        ("range", [0.5, 3], ("3.0",), True),
        ("range", [0.5, 3], ("3.01",), False),
        ("range", [20, None], ("19",), False),
        ("range", [None, 3], ("0.1",), True),
        ("range", [0, 3], ("1", "4"), False),
        ("range", [0, 3], ("thin",), False),
        ("in", ["B70f", "B60f"], ("B60f",), True),
        ("in", ["B70f"], ("B30f",), False),
        ("not_in", ["LOCALIZER"], ("ORIGINAL", "LOCALIZER"), False),
        ("not_in", ["LOCALIZER"], (), True),
        ("contains", ["ORIGINAL", "AXIAL"], ("ORIGINAL", "PRIMARY", "AXIAL"), True),
        ("contains", ["ORIGINAL", "AXIAL"], ("ORIGINAL",), False),
        ("equals", "CT", (), False),
        ("range", [None, None], (), False),
    ],
)
def test_conditions(test: str, expected: Any, values: tuple[str, ...], holds: bool) -> None:
    failure = Condition("Key", test, expected).failure({"Key": values} if values else {})
    assert (failure == "") == holds
    assert holds or failure.startswith("Key is")


def test_default_selects_only_primary_axial_ct() -> None:
    assert not any(DEFAULT.failures(AXIAL_CT))
    for keyword, values, reason in (
        ("Modality", ("MR",), "Modality is MR, CT expected"),
        ("ImageType", ("ORIGINAL", "PRIMARY", "LOCALIZER"), "not in LOCALIZER, SCOUT"),
        ("ImageType", ("DERIVED", "PRIMARY", "AXIAL"), "not in DERIVED, SECONDARY"),
        ("Orientation", ("coronal",), "Orientation is coronal, axial expected"),
    ):
        assert any(reason in failure for failure in DEFAULT.failures({**AXIAL_CT, keyword: values}))


def test_rules_are_read(tmp_path: Path) -> None:
    conditions = {
        "Modality": {"equals": "CT"},
        "SeriesDescription": {"regex": "(?i)lung"},
        "SliceThickness": {"range": [0.5, 3]},
        "ImageType": {"contains": ["PRIMARY"], "not_in": ["LOCALIZER"]},
        "NumberOfSlices": {"range": [20, None]},
    }
    rules = read_rules(rules_file(tmp_path, {"conditions": conditions, "choose": "all"}))
    assert rules.choose == "all"
    assert len(rules.conditions) == 6
    assert rules.keywords == ("Modality", "SeriesDescription", "SliceThickness", "ImageType", "ImageType")
    series = {**AXIAL_CT, "SeriesDescription": ("Lung",), "SliceThickness": ("1",), "NumberOfSlices": ("64",)}
    assert not any(rules.failures(series))
    assert rules.failures({**series, "NumberOfSlices": ("3",)})[-1] == "NumberOfSlices is 3, range 20 to any expected"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ([], "a list found, an object with 'conditions' expected"),
        ({"condition": {}}, "key 'condition' found, 'conditions' and 'choose' expected"),
        ({"choose": "first"}, "choose: 'first' found, one of most-slices, all expected"),
        ({"conditions": 3}, "conditions: 3 found, an object expected"),
        ({"conditions": {"Modalty": {"equals": "CT"}}}, "'Modalty' found, a DICOM keyword"),
        ({"conditions": {"Modality": "CT"}}, "Modality: a string found, a test expected"),
        ({"conditions": {"Modality": {}}}, "Modality: an object found, a test expected"),
        ({"conditions": {"Modality": {"is": "CT"}}}, "Modality: is found, one of equals, regex"),
        ({"conditions": {"Modality": {"in": "CT"}}}, "Modality: in: a string found, a list of strings or numbers"),
        ({"conditions": {"Modality": {"equals": None}}}, "Modality: equals: null found"),
        ({"conditions": {"SliceThickness": {"range": [3, 1]}}}, "SliceThickness: range: [3, 1] found, [low, high]"),
        ({"conditions": {"SliceThickness": {"range": [True, 1]}}}, "[low, high] expected"),
        ({"conditions": {"SliceThickness": {"range": 3}}}, "[low, high] expected"),
        ({"conditions": {"SeriesDescription": {"regex": "("}}}, "'(' is not a valid regular expression"),
        ({"conditions": {"SeriesDescription": {"regex": "(a+)+$"}}}, "nests repetitions"),
        ({"conditions": {"SeriesDescription": {"regex": "a" * 201}}}, "at most 200 characters"),
    ],
)
def test_invalid_rules_are_refused_in_one_line(tmp_path: Path, rules: Any, message: str) -> None:
    path = rules_file(tmp_path, rules)
    with pytest.raises(UsageError) as refusal:
        read_rules(path)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_missing_rules_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rules not readable"):
        read_rules(tmp_path / "none.json")
