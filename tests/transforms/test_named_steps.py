"""Named steps: their order, groups of them, and what an overlay does to one by its name."""

from __future__ import annotations

from typing import Any

import pytest
from monai.bundle import ConfigParser
from monai.transforms import Compose

from s3net_monai.transforms import compose_steps

TARGET = "s3net_monai.transforms.compose_steps"


def letter(name: str) -> dict[str, Any]:
    return {"_target_": "Lambda", "func": f"$lambda text: text + '{name}'"}


def test_steps_keep_the_order_of_the_mapping() -> None:
    composed = compose_steps({"b": lambda text: text + "b", "a": lambda text: text + "a"})
    assert isinstance(composed, Compose)
    assert composed("") == "ba"


def test_groups_are_flattened_in_place() -> None:
    group = {"second": str.upper, "inner": {"third": str.strip}}
    composed = compose_steps({"first": str.title, "group": group, "empty": {}, "last": str.lower})
    assert list(composed.transforms) == [str.title, str.upper, str.strip, str.lower]


def test_no_steps_leave_the_data_alone() -> None:
    assert compose_steps({})("x") == "x"


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ({}, "abcd"),
        ({"reading#b#_disabled_": True}, "acd"),
        ({"use_c": False}, "abd"),
        ({"reading#b": letter("B")}, "aBcd"),
        ({"reading#e": letter("e")}, "abced"),
        ({"reading": {}}, "d"),
    ],
)
def test_overlays_address_steps_by_name(overlay: dict[str, Any], expected: str) -> None:
    """MONAI keeps the order of a mapping and leaves disabled entries out of it."""
    reading = {"a": letter("a"), "b": letter("b"), "c": {**letter("c"), "_disabled_": "$not @use_c"}}
    steps = {"reading": "@reading", "last": letter("d")}
    parser = ConfigParser({"use_c": True, "reading": reading, "all": {"_target_": TARGET, "steps": steps}})
    parser.update(overlay)
    assert parser.get_parsed_content("all")("") == expected
