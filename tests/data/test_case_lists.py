"""Lists of cases for trainings: which sections, with or without labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s3net_monai.data.case_lists import labeled_cases, pool_validation, unlabeled_images
from s3net_monai.utils.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One training case with a label, one without, and one validation case."""
    sections: dict[str, Any] = {
        "training": [{"case_id": "a", "image": "a.png", "label": "a_label.png"}, {"case_id": "b", "image": "b.png"}],
        "validation": [{"case_id": "c", "image": "c.png", "label": "c_label.png"}],
        "test": [],
    }
    for name in ("a", "a_label", "b", "c", "c_label"):
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "datalist.json").write_text(json.dumps({"name": "toy", **sections}))
    return tmp_path


def test_labeled_cases_are_those_with_a_label(folder: Path) -> None:
    assert [(case["case_id"], Path(case["label"]).name) for case in labeled_cases(folder)] == [("a", "a_label.png")]


def test_cases_without_a_label_are_counted_and_none_is_refused(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    labeled_cases(folder)
    assert caplog.messages == [f"{folder}: 1 of 2 cases have no label"]
    assert [case["case_id"] for case in labeled_cases(folder, "validation")] == ["c"]
    datalist = json.loads((folder / "datalist.json").read_text())
    (folder / "datalist.json").write_text(json.dumps({**datalist, "test": [{"case_id": "d", "image": "b.png"}]}))
    with pytest.raises(DataError, match="none of the 1 cases of section test has a label, at least one expected"):
        labeled_cases(folder, "test")


def test_unlabeled_images_hide_every_label() -> None:
    labeled, unlabeled = {"case_id": "a", "image": "a.png", "label": "l.png"}, {"case_id": "b", "image": "b.png"}
    sections = {"unlabeled": [unlabeled], "training": [labeled], "validation": [labeled], "test": [labeled]}
    assert unlabeled_images(sections) == [{"case_id": "a", "image": "a.png"}, unlabeled]
    assert labeled["label"] == "l.png"


def test_validation_is_the_training_section_where_there_is_none(folder: Path) -> None:
    assert [case["case_id"] for case in pool_validation(folder)] == ["c"]
    datalist = json.loads((folder / "datalist.json").read_text())
    (folder / "datalist.json").write_text(json.dumps({**datalist, "validation": []}))
    cases = pool_validation([folder])
    assert [case["case_id"] for case in cases] == ["a", "b"]
    assert not any("label" in case for case in cases)
