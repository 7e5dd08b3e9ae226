"""Inputs that change or vanish between discovery, reading and writing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from benchmarks.faults.results import differing, results
from s3net_monai.inference import Bundle, Settings, find_cases, load_bundle, run_batch
from s3net_monai.inference.discovery.cases import Discovery
from s3net_monai.inference.run import batch, prefetch

Change = Callable[[Path], None]


@pytest.fixture
def bundle(lung_bundle: Path) -> Bundle:
    return load_bundle("lung", lung_bundle, torch.device("cpu"))


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in "abc":
        _write(tmp_path / "in" / f"{name}.nii", -900)
    return tmp_path / "in"


def _write(path: Path, hu: int, size: int = 3) -> None:
    nib.save(nib.Nifti1Image(np.full((size, size, size), hu, dtype=np.int16), np.eye(4)), path)


def vanish(path: Path) -> None:
    path.unlink()


def become_empty(path: Path) -> None:
    path.write_bytes(b"")


def be_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def become_another(path: Path) -> None:
    _write(path, 40, size=4)


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


def check_resumed(volumes: Path, bundle: Bundle, output: Path) -> None:
    _write(volumes / "b.nii", -900)
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

    def read_and_change(case: Any, own: Bundle) -> Any:
        sample = original(case, own)
        if case.case_id == "b":
            change(volumes / "b.nii")
        return sample

    with monkeypatch.context() as patch:
        patch.setattr(prefetch, "read_case", read_and_change)
        cases = segment(find_cases([volumes]), bundle, tmp_path / "out")
    check_alone(cases, "failed")
    what = "was removed" if change is vanish else "changed"
    assert cases["b"]["reason"] == f"b.nii: {what} while it was segmented; repeat with --resume"
    check_resumed(volumes, bundle, tmp_path / "out")


@pytest.mark.parametrize("change", CHANGES)
def test_between_reading_and_writing(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """Writers read the header of the source: that of another image would put the mask elsewhere."""
    original = batch.infer_sample

    def change_and_infer(sample: dict[str, Any], own: Bundle) -> Any:
        if sample["case_id"] == "b":
            change(volumes / "b.nii")
        return original(sample, own)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "infer_sample", change_and_infer)
        cases = segment(find_cases([volumes]), bundle, tmp_path / "out")
    check_alone(cases, "failed")
    what = "was removed" if change is vanish else "changed"
    assert cases["b"]["reason"] == f"b.nii: {what} while it was segmented; repeat with --resume"
    assert not list((tmp_path / "out").glob("b_*"))
    check_resumed(volumes, bundle, tmp_path / "out")
