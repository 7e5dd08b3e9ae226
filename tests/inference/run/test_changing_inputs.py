"""Inputs that change or vanish between discovery, reading and writing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults.results import differing, results
from s3net_monai.inference import Bundle, Settings, find_cases, run_batch
from s3net_monai.inference.discovery.cases import Discovery
from s3net_monai.inference.run import outputs, prefetch, segment_loaded
from tests.helpers.small_runs import write_uniform_volume

Change = Callable[[Path], None]


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in "abc":
        write_uniform_volume(tmp_path / "in" / f"{name}.nii", -900)
    return tmp_path / "in"


def vanish(path: Path) -> None:
    path.unlink()


def become_empty(path: Path) -> None:
    path.write_bytes(b"")


def be_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def become_another(path: Path) -> None:
    write_uniform_volume(path, 40, size=4)


CHANGES = [vanish, become_empty, be_cut, become_another]


def segment(cases: Discovery, bundle: Bundle, output: Path, **settings: Any) -> dict[str, dict[str, Any]]:
    run_batch(cases.cases, bundle, output, settings=Settings(workers=0, **settings))
    stored = json.loads((output / "report.json").read_text())
    return {case["case_id"]: case for case in stored["cases"]}


def check_alone(cases: dict[str, dict[str, Any]], status: str) -> None:
    assert {name: case["status"] for name, case in cases.items()} == {"a": "ok", "b": status, "c": "ok"}
    reason = cases["b"]["reason"] or ""
    assert "\n" not in reason
    assert "Error" not in reason
    assert status == "ok" or "b.nii" in reason


def check_refused(cases: dict[str, dict[str, Any]], change: Change) -> None:
    check_alone(cases, "failed")
    what = "was removed" if change is vanish else "changed"
    assert cases["b"]["reason"] == f"b.nii: {what} while it was segmented; repeat with --resume"


def check_resumed(volumes: Path, bundle: Bundle, output: Path) -> None:
    write_uniform_volume(volumes / "b.nii", -900)
    segment(find_cases([volumes]), bundle, output, resume=True)
    segment(find_cases([volumes]), bundle, output.with_name("whole"))
    assert differing(results(output.with_name("whole")), results(output)) == []


@pytest.mark.parametrize("change", CHANGES)
def test_between_discovery_and_reading(volumes: Path, bundle: Bundle, tmp_path: Path, change: Change) -> None:
    found = find_cases([volumes])
    change(volumes / "b.nii")
    cases = segment(found, bundle, tmp_path / "out")
    check_alone(cases, "ok" if change is become_another else "failed")
    check_resumed(volumes, bundle, tmp_path / "out")


@pytest.mark.parametrize("change", CHANGES)
def test_between_reading_the_voxels_and_the_hash(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """Else a mask of the old content would pass for one of the new content when the run is continued."""
    original = prefetch.read_case

    def read_and_change(case: Any, own: Bundle, scratch: Path | None = None) -> Any:
        sample = original(case, own, scratch)
        if case.case_id == "b":
            change(volumes / "b.nii")
        return sample

    with monkeypatch.context() as patch:
        patch.setattr(prefetch, "read_case", read_and_change)
        cases = segment(find_cases([volumes]), bundle, tmp_path / "out")
    check_refused(cases, change)
    check_resumed(volumes, bundle, tmp_path / "out")


@pytest.mark.parametrize("change", CHANGES)
def test_between_reading_and_writing(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """Writers read the header of the source: that of another image would put the mask elsewhere."""
    original = segment_loaded.infer_sample

    def change_and_infer(sample: dict[str, Any], own: Bundle) -> Any:
        if sample["case_id"] == "b":
            change(volumes / "b.nii")
        return original(sample, own)

    with monkeypatch.context() as patch:
        patch.setattr(segment_loaded, "infer_sample", change_and_infer)
        cases = segment(find_cases([volumes]), bundle, tmp_path / "out")
    check_refused(cases, change)
    assert not list((tmp_path / "out").glob("b_*"))
    check_resumed(volumes, bundle, tmp_path / "out")


def test_a_name_does_not_hide_a_change(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is removed after its mask was written is no loss, one that was changed is."""
    volume = volumes / "was removed.nii"
    write_uniform_volume(volume, -900)
    (case,) = find_cases([volume]).cases
    original = outputs.write_mask

    def write_and_change(*arguments: Any, **options: Any) -> Path:
        path = original(*arguments, **options)
        if options["case_id"] == case.case_id:
            become_another(volume)
        return path

    monkeypatch.setattr(outputs, "write_mask", write_and_change)
    cases = segment(find_cases([volume]), bundle, tmp_path / "out")
    assert cases[case.case_id]["reason"] == f"{volume.name}: changed while it was segmented; repeat with --resume"
