"""Batches: isolation, report, resume, shards, interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from s3net_monai.inference import Bundle, Settings, batch, find_cases, load_bundle, run_batch


@pytest.fixture
def bundle(lung_bundle: Path) -> Bundle:
    return load_bundle("lung", lung_bundle, torch.device("cpu"))


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Three sound volumes a, b, d with 1, 2 and 4 voxels of lung, and a broken one, c."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, count in {"a": 1, "b": 2, "d": 4}.items():
        hu = np.zeros((3, 3, 3), dtype=np.int16)
        hu.ravel()[:count] = -900
        nib.save(nib.Nifti1Image(hu, np.diag([2.0, 2, 2, 1])), folder / f"{name}.nii.gz")
    (folder / "c.nii.gz").write_bytes(b"broken")
    return folder


def run(volumes: Path, bundle: Bundle, output: Path, **settings: Any) -> dict[str, Any]:
    run_batch(find_cases([volumes]).cases, bundle, output, Settings(**settings))
    stored = json.loads((output / "report.json").read_text())
    return {**stored, "by_id": {case["case_id"]: case for case in stored["cases"]}}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_case_fails_alone(volumes: Path, bundle: Bundle, tmp_path: Path, workers: int) -> None:
    report = run(volumes, bundle, tmp_path / "out", workers=workers)
    assert {name: case["status"] for name, case in report["by_id"].items()} == {
        "a": "ok",
        "b": "ok",
        "c": "failed",
        "d": "ok",
    }
    assert "c.nii.gz: not readable as NIfTI" in report["by_id"]["c"]["reason"]
    assert report["by_id"]["c"]["outputs"] == {}
    assert report["by_id"]["d"]["outputs"] == {"nifti": "d_seg.nii.gz"}
    assert report["by_id"]["d"]["measures"]["volume_ml"] == 0.032
    assert int(np.asarray(nib.load(tmp_path / "out" / "d_seg.nii.gz").dataobj).sum()) == 4
    seconds = report["by_id"]["a"]["seconds"]
    assert set(seconds) == {"read", "infer", "write", "total"}


def test_report_has_the_documented_keys(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    report = run(volumes, bundle, tmp_path / "out", formats=("nifti",))
    assert list(report)[:-1] == [
        *("schema_version", "package_version", "task", "model", "settings", "cases", "summary"),
    ]
    assert report["model"] == {"name": "toy_lung", "version": "1.2.3", "sha256": bundle.sha256}
    assert set(report["cases"][0]) == {
        *("case_id", "input", "status", "reason", "outputs", "seconds", "measures", "consistency"),
    }
    assert {key: report["summary"][key] for key in ("ok", "failed", "skipped")} == {"ok": 3, "failed": 1, "skipped": 0}


def test_formats_that_do_not_fit_are_left_out_with_a_note(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    report = run(volumes, bundle, tmp_path / "out", formats=("nifti", "dicomseg", "png"))
    assert report["by_id"]["a"]["status"] == "ok"
    assert list(report["by_id"]["a"]["outputs"]) == ["nifti"]
    assert "no dicomseg written" in report["by_id"]["a"]["reason"]
    report = run(volumes, bundle, tmp_path / "other", formats=("dicomseg",))
    assert report["by_id"]["a"]["status"] == "failed"


def test_series_gives_all_formats_and_pictures_default_to_png(
    bundle: Bundle, series_maker: Callable[..., Any], tmp_path: Path
) -> None:
    series_maker(np.zeros((1, 4, 4), dtype=np.uint16)).save(tmp_path / "in" / "ct")
    report = run(tmp_path / "in", bundle, tmp_path / "out", formats=("nifti", "dicomseg", "png"))
    assert report["by_id"]["ct"]["outputs"] == {
        "nifti": "ct_seg.nii.gz",
        "dicomseg": "ct_seg.dcm",
        "png": "ct_seg.png",
    }
    Image.new("L", (5, 3)).save(tmp_path / "in" / "p.png")
    report = run(tmp_path / "in", bundle, tmp_path / "out")
    assert report["by_id"]["p"]["outputs"] == {"png": "p_seg.png"}
    assert report["by_id"]["ct"]["outputs"] == {"nifti": "ct_seg.nii.gz"}


def test_empty_mask_is_ok_with_a_warning(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.int16), np.eye(4)), tmp_path / "in" / "e.nii.gz")
    case = run(tmp_path / "in", bundle, tmp_path / "out")["by_id"]["e"]
    assert case["status"] == "ok"
    assert "mask is empty" in case["reason"]


def test_resume_redoes_only_what_is_not_complete(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    first = run(volumes, bundle, output)
    done: list[str] = []
    original = batch._segment
    monkeypatch.setattr(
        batch, "_segment", lambda loaded, *rest: done.append(loaded.case.case_id) or original(loaded, *rest)
    )

    again = run(volumes, bundle, output, resume=True)
    assert done == ["c"]
    assert again["by_id"]["a"]["status"] == "skipped"
    assert again["by_id"]["a"]["outputs"] == first["by_id"]["a"]["outputs"]

    done.clear()
    (output / "b_seg.nii.gz").unlink()
    later = (output / "d_seg.nii.gz").stat().st_mtime + 10
    os.utime(volumes / "d.nii.gz", (later, later))
    run(volumes, bundle, output, resume=True)
    assert done == ["b", "c", "d"]

    done.clear()
    run(volumes, replace(bundle, sha256="other"), output, resume=True)
    assert done == ["a", "b", "c", "d"]


def test_shards_cover_every_case_once_and_share_the_report(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    run(volumes, bundle, tmp_path / "out", shard=(1, 2))
    assert sorted(path.name for path in (tmp_path / "out").glob("*_seg*")) == ["a_seg.nii.gz"]
    report = run(volumes, bundle, tmp_path / "out", shard=(2, 2))
    assert sorted(report["by_id"]) == ["a", "b", "c", "d"]
    assert report["summary"]["ok"] == 3


def test_interruption_leaves_a_valid_report(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = batch.infer_sample

    def interrupt_at_b(sample: dict[str, Any], *rest: Any) -> Any:
        if sample["case_id"] == "b":
            raise KeyboardInterrupt
        return original(sample, *rest)

    monkeypatch.setattr(batch, "infer_sample", interrupt_at_b)
    report = run(volumes, bundle, tmp_path / "out")
    assert [report["by_id"][name]["status"] for name in "abcd"] == ["ok", "skipped", "skipped", "skipped"]
    assert "interrupted" in report["by_id"]["b"]["reason"]
    monkeypatch.setattr(batch, "infer_sample", original)
    resumed = run(volumes, bundle, tmp_path / "out", resume=True)
    assert [resumed["by_id"][name]["status"] for name in "abcd"] == ["skipped", "ok", "failed", "ok"]


def test_no_partial_file_is_left(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    run(volumes, bundle, tmp_path / "out", formats=("nifti", "png", "dicomseg"))
    assert [path.name for path in (tmp_path / "out").iterdir() if "partial" in path.name] == []
