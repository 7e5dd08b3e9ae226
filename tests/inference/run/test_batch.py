"""Batches: isolation, report, resuming, shards, interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from s3net_monai.inference import Bundle, Case, Settings, find_cases, run_batch
from s3net_monai.inference.report.report import CaseReport
from s3net_monai.inference.run import batch, resume, segment_loaded
from s3net_monai.inference.run.outputs import OutputWriter


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Three valid volumes a, b, d with 1, 2 and 4 voxels of lung, and a broken one, c."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, count in {"a": 1, "b": 2, "d": 4}.items():
        hu = np.zeros((3, 3, 3), dtype=np.int16)
        hu.ravel()[:count] = -900
        nib.save(nib.Nifti1Image(hu, np.diag([2.0, 2, 2, 1])), folder / f"{name}.nii.gz")
    (folder / "c.nii.gz").write_bytes(b"broken")
    return folder


def run(volumes: Path, bundle: Bundle, output: Path, **settings: Any) -> dict[str, Any]:
    run_batch(find_cases([volumes]).cases, bundle, output, settings=Settings(**settings))
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
    assert report["by_id"]["d"]["outputs"] == {"nifti": "d_seg.nii.gz", "preview": "d_preview.jpg"}
    assert report["by_id"]["d"]["measures"]["volume_ml"] == 0.032
    assert int(np.asarray(nib.load(tmp_path / "out" / "d_seg.nii.gz").dataobj).sum()) == 4
    seconds = report["by_id"]["a"]["seconds"]
    assert set(seconds) == {"read", "infer", "write", "total"}
    assert seconds["total"] == pytest.approx(seconds["read"] + seconds["infer"] + seconds["write"], abs=0.002)
    assert (tmp_path / "out" / "d_preview.jpg").is_file()
    assert "d_preview.jpg" in (tmp_path / "out" / "report.html").read_text()
    assert "lung" in (tmp_path / "out" / "labels.csv").read_text()


def test_report_has_the_documented_keys(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    report = run(volumes, bundle, tmp_path / "out", formats=("nifti",))
    assert list(report)[:-1] == [
        *("schema_version", "package_version", "task", "model", "settings", "run", "pseudonyms", "labels"),
        *("cases", "excluded", "left", "summary"),
        "interrupted",
    ]
    hashes = {"sha256": bundle.sha256, "config_sha256": bundle.config_sha256}
    assert report["model"] == {"name": "toy_lung", "version": "1.2.3", **hashes}
    assert set(report["cases"][0]) == {
        *("case_id", "input", "status", "reason", "outputs", "seconds", "measures", "consistency", "warnings", "notes"),
        *("selection", "fingerprint", "files"),
    }
    assert {key: report["summary"][key] for key in ("ok", "failed", "skipped")} == {"ok": 3, "failed": 1, "skipped": 0}


def test_formats_that_do_not_fit_are_left_out_with_a_note(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    report = run(volumes, bundle, tmp_path / "out", formats=("nifti", "dicomseg", "png"))
    assert report["by_id"]["a"]["status"] == "ok"
    assert list(report["by_id"]["a"]["outputs"]) == ["nifti", "preview"]
    assert [line.split(":")[0] for line in report["by_id"]["a"]["notes"]] == ["no dicomseg written", "no png written"]
    assert not any("written" in line for line in report["by_id"]["a"]["warnings"])
    assert report["by_id"]["a"]["reason"] is None
    report = run(volumes, bundle, tmp_path / "other", formats=("dicomseg",))
    assert report["by_id"]["a"]["status"] == "failed"
    assert not list((tmp_path / "other").glob("a_*"))


def test_a_series_gives_all_formats_and_2d_images_png(
    bundle: Bundle, series_maker: Callable[..., Any], tmp_path: Path
) -> None:
    series_maker(np.zeros((1, 4, 4), dtype=np.uint16)).save(tmp_path / "in" / "ct")
    report = run(tmp_path / "in", bundle, tmp_path / "out", formats=("nifti", "dicomseg", "png"))
    assert report["by_id"]["ct"]["outputs"] == {
        "nifti": "ct_seg.nii.gz",
        "dicomseg": "ct_seg.dcm",
        "png": "ct_seg.png",
        "preview": "ct_preview.jpg",
    }
    Image.new("L", (5, 3)).save(tmp_path / "in" / "p.png")
    report = run(tmp_path / "in", bundle, tmp_path / "more")
    assert report["by_id"]["p"]["outputs"] == {"png": "p_seg.png", "preview": "p_preview.jpg"}
    assert report["by_id"]["ct"]["outputs"] == {"nifti": "ct_seg.nii.gz", "preview": "ct_preview.jpg"}


@pytest.mark.parametrize(("rows", "format_name", "cautions"), [(5, "dicomseg", 1), (4, "dicomseg", 0), (5, "nifti", 0)])
def test_a_mask_that_web_viewers_misplace_has_a_warning(
    bundle: Bundle, series_maker: Callable[..., Any], tmp_path: Path, rows: int, format_name: str, cautions: int
) -> None:
    series_maker(np.zeros((3, rows, 6), dtype=np.uint16)).save(tmp_path / "in" / "ct")
    case = run(tmp_path / "in", bundle, tmp_path / "out", formats=(format_name, "dicomseg-labelmap"))["by_id"]["ct"]
    assert case["status"] == "ok"
    expected = ["dicomseg: frames of 5 x 6 pixels, no multiple of 8: OHIF and other web viewers"] * cautions
    assert [line.partition(" on ")[0] for line in case["warnings"] if line.startswith("dicomseg")] == expected


def test_empty_mask_is_ok_with_a_warning(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.int16), np.eye(4)), tmp_path / "in" / "e.nii.gz")
    case = run(tmp_path / "in", bundle, tmp_path / "out")["by_id"]["e"]
    assert case["status"] == "ok"
    assert case["warnings"] == ["all voxels of the image have the same value", "the mask is empty"]


@pytest.fixture
def inferred(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the cases whose inference was started."""
    case_ids: list[str] = []
    original = segment_loaded.infer_sample

    def recorded(sample: dict[str, Any], bundle: Bundle) -> Any:
        case_ids.append(sample["case_id"])
        return original(sample, bundle)

    monkeypatch.setattr(segment_loaded, "infer_sample", recorded)
    return case_ids


def test_resume_redoes_only_what_is_not_complete_and_unchanged(
    volumes: Path, bundle: Bundle, tmp_path: Path, inferred: list[str]
) -> None:
    output = tmp_path / "out"
    first = run(volumes, bundle, output)
    assert inferred == ["a", "b", "d"]

    inferred.clear()
    os.utime(volumes / "a.nii.gz")  # touched, not changed
    resumed = run(volumes, bundle, output, resume=True)
    assert inferred == []
    assert resumed["by_id"]["a"]["status"] == "complete"
    assert resumed["summary"]["complete"] == 3
    assert resumed["summary"]["skipped"] == 0
    assert resumed["by_id"]["a"]["outputs"] == first["by_id"]["a"]["outputs"]
    assert resumed["by_id"]["c"]["status"] == "failed"

    (output / "b_seg.nii.gz").unlink()
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.int16), np.eye(4)), volumes / "d.nii.gz")
    run(volumes, bundle, output, resume=True)
    assert inferred == ["b", "d"]


@pytest.mark.parametrize(
    "change", [{"sha256": "other"}, {"config_sha256": "other"}, {"formats": ("nifti", "segnrrd")}, {"allow": ("tilt",)}]
)
def test_resume_redoes_all_after_a_change_of_model_or_settings(
    volumes: Path, bundle: Bundle, tmp_path: Path, inferred: list[str], change: dict[str, Any]
) -> None:
    output = tmp_path / "out"
    run(volumes, bundle, output)
    inferred.clear()
    model = {key: value for key, value in change.items() if "sha256" in key}
    settings = {key: value for key, value in change.items() if "sha256" not in key}
    run(volumes, replace(bundle, **model), output, resume=True, **settings)
    assert inferred == ["a", "b", "d"]


def test_resume_does_not_trust_a_partial_file(
    volumes: Path, bundle: Bundle, tmp_path: Path, inferred: list[str]
) -> None:
    output = tmp_path / "out"
    run(volumes, bundle, output)
    # A kill during writing leaves the temporary file and no mask.
    (output / "a_seg.nii.gz").rename(output / ".partial-1-a_seg.nii.gz")
    inferred.clear()
    run(volumes, bundle, output, resume=True)
    assert inferred == ["a"]
    assert not list(output.glob(".partial-*"))


def test_writing_one_case_overlaps_with_inferring_the_next(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b_started = Event()
    overlapped = []
    infer, write_case = segment_loaded.infer_sample, batch.OutputWriter.write_case

    def infer_and_signal(sample: dict[str, Any], bundle: Bundle) -> Any:
        if sample["case_id"] == "b":
            b_started.set()
        return infer(sample, bundle)

    def write_after_b_started(writer: OutputWriter, entry: CaseReport, *args: Any, **kwargs: Any) -> CaseReport:
        if entry.case_id == "a":
            overlapped.append(b_started.wait(timeout=60))
        return write_case(writer, entry, *args, **kwargs)

    monkeypatch.setattr(segment_loaded, "infer_sample", infer_and_signal)
    monkeypatch.setattr(batch.OutputWriter, "write_case", write_after_b_started)
    assert run(volumes, bundle, tmp_path / "out")["summary"]["ok"] == 3
    assert overlapped == [True]


class Limited(torch.nn.Module):
    """A network that runs out of memory on every input."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_out_of_memory_fails_the_case_with_advice(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    report = run(volumes, replace(bundle, network=Limited()), tmp_path / "out")
    assert report["summary"]["failed"] == 4
    assert report["by_id"]["a"]["reason"].startswith("a.nii.gz: not enough memory on cpu")
    assert "--device cpu" in report["by_id"]["a"]["reason"]


def test_a_stale_mask_is_named_when_its_case_fails(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    assert run(volumes, bundle, tmp_path / "out")["by_id"]["c"]["warnings"] == []
    (volumes / "a.nii.gz").write_bytes(b"broken")
    case = run(volumes, bundle, tmp_path / "out", overwrite=True)["by_id"]["a"]
    assert case["status"] == "failed"
    assert case["warnings"] == ["a_seg.nii.gz: of an earlier run, not of this one"]
    assert (tmp_path / "out" / "a_seg.nii.gz").is_file()  # someone may have corrected it


def test_shards_cover_every_case_once_and_share_the_report(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    run(volumes, bundle, tmp_path / "out", shard=(1, 2))
    assert sorted(path.name for path in (tmp_path / "out").glob("*_seg*")) == ["a_seg.nii.gz"]
    report = run(volumes, bundle, tmp_path / "out", shard=(2, 2))
    assert sorted(report["by_id"]) == ["a", "b", "c", "d"]
    assert report["summary"]["ok"] == 3
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(f"{name}_preview.jpg" in page for name in "abd")


def test_interruption_leaves_a_valid_report(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = segment_loaded.infer_sample

    def interrupt_at_b(sample: dict[str, Any], *args: Any) -> Any:
        if sample["case_id"] == "b":
            raise KeyboardInterrupt
        return original(sample, *args)

    monkeypatch.setattr(segment_loaded, "infer_sample", interrupt_at_b)
    report = run(volumes, bundle, tmp_path / "out")
    assert [report["by_id"][name]["status"] for name in "abcd"] == ["ok", "skipped", "skipped", "skipped"]
    assert "interrupted" in report["by_id"]["b"]["reason"]
    assert report["interrupted"] is True
    monkeypatch.setattr(segment_loaded, "infer_sample", original)
    resumed = run(volumes, bundle, tmp_path / "out", resume=True)
    assert [resumed["by_id"][name]["status"] for name in "abcd"] == ["complete", "ok", "failed", "ok"]


def test_no_partial_file_is_left(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    run(volumes, bundle, tmp_path / "out", formats=("nifti", "png", "dicomseg"))
    assert [path.name for path in (tmp_path / "out").iterdir() if "partial" in path.name] == []


def test_a_file_name_that_is_not_utf_8_is_reported(volumes: Path, bundle: Bundle, tmp_path: Path) -> None:
    odd = volumes / os.fsdecode(b"M\xfcller.nii.gz")  # Latin-1, as on an old network drive
    (volumes / "a.nii.gz").rename(odd)
    (volumes / "c.nii.gz").rename(volumes / os.fsdecode(b"\xff.nii.gz"))
    report = run(volumes, bundle, tmp_path / "out")
    assert report["summary"]["ok"] == 3
    assert report["summary"]["failed"] == 1
    assert report["by_id"]["M_ller"]["input"] == str(volumes / "M\ufffdller.nii.gz")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "M\ufffdller.nii.gz" in page
    assert "\ufffd.nii.gz: not readable as NIfTI" in page


def test_a_temporarily_unwritable_report_does_not_end_the_run(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out" / ".report.lock").mkdir(parents=True)  # stands for a network drive that is not mounted
    written: list[str] = []
    original = batch.OutputWriter.write_case

    def write_and_mount(writer: OutputWriter, entry: CaseReport, *args: Any, **kwargs: Any) -> CaseReport:
        written.append(entry.case_id)
        if entry.case_id == "d":
            (tmp_path / "out" / ".report.lock").rmdir()
        return original(writer, entry, *args, **kwargs)

    monkeypatch.setattr(batch, "REPORT_INTERVAL", 0.0)
    monkeypatch.setattr(batch.OutputWriter, "write_case", write_and_mount)
    assert run(volumes, bundle, tmp_path / "out")["summary"]["ok"] == 3
    assert written == ["a", "b", "d"]


def test_an_interruption_while_comparing_loses_no_entry(
    volumes: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(volumes, bundle, tmp_path / "out")
    original = resume.fingerprint

    def interrupt_at_b(case: Case, configuration: dict[str, Any]) -> str:
        if case.case_id == "b":
            raise KeyboardInterrupt
        return original(case, configuration)

    monkeypatch.setattr(resume, "fingerprint", interrupt_at_b)
    assert run(volumes, bundle, tmp_path / "out", resume=True)["interrupted"] is True
    monkeypatch.setattr(resume, "fingerprint", original)
    resumed = run(volumes, bundle, tmp_path / "out", resume=True)
    assert [resumed["by_id"][name]["status"] for name in "abcd"] == ["complete", "complete", "failed", "complete"]
