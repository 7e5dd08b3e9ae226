"""Which cases come out of which paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.inference import UsageError, find_cases


def ids(paths: list[Path], output: Path | None = None) -> list[tuple[str, str]]:
    return [(case.case_id, case.kind) for case in find_cases(paths, output).cases]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_files_of_a_folder_become_cases_and_others_are_counted(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("b.nii.gz", "a.PNG", "c.v2.nii", "d.jpeg", "notes.txt", ".hidden.png")))
    found = find_cases([tmp_path])
    assert [case.case_id for case in found.cases] == ["a", "b", "c.v2", "d"]
    assert [case.kind for case in found.cases] == ["picture", "volume", "volume", "picture"]
    assert found.ignored == 1


def test_masks_of_an_earlier_run_and_the_output_folder_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a_seg.png", tmp_path / "out" / "b.png")
    assert ids([tmp_path], tmp_path / "out") == [("a", "picture")]


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path / "x" / "1.png", tmp_path / "y" / "1.png", tmp_path / "y" / "1.jpg", tmp_path / "2.png")
    names = [case_id for case_id, _ in ids([tmp_path])]
    assert names == ["2", "x_1", "y_1", "y_1-2"]


def test_the_same_file_twice_still_gets_two_ids(tmp_path: Path) -> None:
    touch(tmp_path / "1.png")
    names = [case_id for case_id, _ in ids([tmp_path / "1.png", tmp_path / "1.png"])]
    assert len(set(names)) == 2


def test_tree_of_series(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    stored = np.zeros((2, 4, 4), dtype=np.uint16)
    series_maker(stored).save(tmp_path / "study" / "one")
    both = tmp_path / "study" / "both"
    series_maker(stored).save(both, names=["a", "b"])
    series_maker(stored).save(both, names=["c", "d"])
    cases = find_cases([tmp_path]).cases
    assert [case.case_id for case in cases] == ["both_series1", "both_series2", "one"]
    assert cases[2].input == tmp_path / "study" / "one"
    assert {file.parent for file in cases[2].image} == {tmp_path / "study" / "one"}
    assert sorted([file.name for file in case.image] for case in cases[:2]) == [["a", "b"], ["c", "d"]]
    assert all(case.input == both for case in cases[:2])


def test_damaged_file_stays_with_the_only_series(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    folder = series_maker(np.zeros((2, 4, 4), dtype=np.uint16)).save(tmp_path / "ct")
    (folder / "bad.dcm").write_bytes(b"x")
    (case,) = find_cases([folder]).cases
    assert (case.case_id, case.input) == ("ct", folder)
    assert [file.name for file in case.image] == ["00000.dcm", "00007.dcm", "bad.dcm"]


def test_missing_and_unknown_inputs_are_cases_that_fail(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "a.txt")
    cases = find_cases([tmp_path / "a.png", tmp_path / "gone.png", tmp_path / "a.txt"]).cases
    assert [case.kind for case in cases] == ["picture", "unusable", "unusable"]
    assert "no such file" in cases[1].problem
    assert "not a known image type" in cases[2].problem


@pytest.mark.parametrize("content", [[], ["notes.txt"]])
def test_nothing_at_all_is_a_usage_error(tmp_path: Path, content: list[str]) -> None:
    touch(*(tmp_path / "in" / name for name in content))
    (tmp_path / "in").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="no image found"):
        find_cases([tmp_path / "in"])
    with pytest.raises(UsageError, match="no such file"):
        find_cases([tmp_path / "gone"])
