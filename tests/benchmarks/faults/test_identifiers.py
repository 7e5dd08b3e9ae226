"""No marked attribute of the confidentiality profile is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import identifiers
from benchmarks.faults.marked_files import WRITERS
from benchmarks.faults.marks import profile_marks


@pytest.mark.slow
def test_every_vr_and_place_is_tried_and_none_leaks(tmp_path: Path) -> None:
    result = identifiers.measure(tmp_path, step=30)
    assert result["leaking"] == {place: [] for place in WRITERS}
    assert result["wrong"] == 0
    assert result["tried"] == 4 * result["attributes"] > 80
    for place in ("header", "sequence", "VL_image"):  # the marks were there to be found
        page = (tmp_path / f"{place}_out" / "report.html").read_text()
        assert page.count("anon-") > result["attributes"]


def test_a_mark_that_is_shown_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3net_monai.inference.discovery.header_values.holds_identifier", lambda tag, vr: vr == "PN")
    result = identifiers.measure(tmp_path, step=40, places=["header"])
    assert 0 < result["wrong"] <= result["attributes"]
    assert len(result["leaking"]["header"]) == result["wrong"]


def test_marks_cover_the_profile_and_differ() -> None:
    marks = profile_marks()
    assert len(marks) > 640
    assert len({mark.value for mark in marks}) == len({mark.tag for mark in marks}) == len(marks)
    assert {"PN", "DA", "TM", "DT", "UI", "LO", "SH", "ST", "LT", "UT", "AE", "AS", "CS", "DS", "SQ"} <= {
        mark.vr for mark in marks
    }
