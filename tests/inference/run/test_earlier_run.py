"""A second run into the folder of an earlier one: refused, continued or said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from s3net_monai.inference import Bundle, Settings, UsageError, find_cases, load_bundle, run_batch
from s3net_monai.inference.run import batch
from s3net_monai.inference.run.earlier_run import case_of, check_output, stale_mask_warnings
from s3net_monai.inference.run.run_lock import run_lock, running_shards


@pytest.fixture
def bundle(lung_bundle: Path) -> Bundle:
    return load_bundle("lung", lung_bundle, torch.device("cpu"))


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        hu = np.zeros((3, 3, 3), dtype=np.int16)
        hu[0] = -900
        nib.save(nib.Nifti1Image(hu, np.eye(4)), folder / f"{name}.nii.gz")
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(volumes: Path, bundle: Bundle, output: Path, **settings: Any) -> dict[str, Any]:
    run_batch(find_cases([volumes]).cases, bundle, output, settings=Settings(workers=0, **settings))
    stored: dict[str, Any] = json.loads((output / "report.json").read_text())
    return stored


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_masks_are_not_overwritten_unasked(volumes: Path, bundle: Bundle, output: Path) -> None:
    run(volumes, bundle, output)
    before = content(output)
    with pytest.raises(UsageError) as caught:
        run(volumes, replace(bundle, sha256="other"), output)
    assert str(caught.value) == (
        f"{output}: masks are there already (a_seg.nii.gz, b_seg.nii.gz); --resume continues that run, --overwrite "
        "replaces them, or give another folder"
    )
    assert content(output) == before
    assert run(volumes, bundle, output, overwrite=True)["summary"]["ok"] == 2


def test_masks_that_no_run_wrote_are_not_overwritten_by_resuming(volumes: Path, bundle: Bundle, output: Path) -> None:
    """They may be ground truth beside the images."""
    output.mkdir()
    (output / "a_seg.nii.gz").write_bytes(b"drawn by hand")
    for settings in ({}, {"resume": True}):
        with pytest.raises(UsageError, match=r"masks are there already \(a_seg\.nii\.gz\)"):
            run(volumes, bundle, output, **settings)
    assert (output / "a_seg.nii.gz").read_bytes() == b"drawn by hand"
    assert not (output / "report.json").exists()


def test_a_remedy_that_would_fail_is_not_named(output: Path) -> None:
    output.mkdir()
    (output / "a_seg.nii.gz").touch()
    with pytest.raises(
        UsageError, match=r"masks are there already \(a_seg.nii.gz\); --overwrite replaces them, or give"
    ):
        check_output(output, resume=False, overwrite=False)


def test_a_folder_with_nothing_to_lose_is_taken(volumes: Path, bundle: Bundle, output: Path) -> None:
    output.mkdir()
    (output / "notes.txt").write_text("x")
    (output / "report.json").write_text("{}")
    assert run(volumes, bundle, output)["summary"]["ok"] == 2


def test_stale_masks_in_other_formats_are_warnings_of_their_case(volumes: Path, bundle: Bundle, output: Path) -> None:
    run(volumes, bundle, output, formats=("nifti", "segnrrd"))
    report = run(volumes, bundle, output, formats=("nifti",), overwrite=True)
    warnings = {case["case_id"]: case["warnings"] for case in report["cases"]}
    for case_id in "ab":
        assert f"{case_id}_seg.seg.nrrd: of an earlier run, not of this one" in warnings[case_id]


def test_masks_of_cases_that_are_not_in_the_run_are_listed(
    volumes: Path, bundle: Bundle, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(volumes, bundle, output)["left"] == []
    (volumes / "a.nii.gz").rename(volumes / "c.nii.gz")
    report = run(volumes, replace(bundle, sha256="other"), output, overwrite=True)
    assert report["left"] == ["a_preview.jpg", "a_seg.nii.gz"]
    assert "a_preview.jpg, a_seg.nii.gz left from an earlier run" in capsys.readouterr().err
    assert "2 files left from an earlier run" in (output / "report.html").read_text()
    assert run(volumes, replace(bundle, sha256="other"), output, resume=True)["left"] == report["left"]


def test_resuming_with_another_model_says_that_all_is_repeated(
    volumes: Path, bundle: Bundle, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(volumes, bundle, output)
    run(volumes, bundle, output, resume=True)
    assert "all cases are repeated" not in capsys.readouterr().err
    run(volumes, replace(bundle, sha256="other"), output, resume=True)
    assert "another model or other settings than in the earlier run: all cases are repeated" in capsys.readouterr().err


# Shards


def test_shards_do_not_stop_each_other_but_themselves(volumes: Path, bundle: Bundle, output: Path) -> None:
    run(volumes, bundle, output, shard=(1, 2))
    assert run(volumes, bundle, output, shard=(2, 2))["summary"]["ok"] == 2
    with pytest.raises(UsageError, match=r"masks are there already \(b_seg\.nii\.gz\)"):
        run(volumes, bundle, output, shard=(2, 2))
    assert run(volumes, bundle, output, shard=(2, 2), resume=True)["summary"]["complete"] == 1


@pytest.mark.parametrize("settings", [{}, {"resume": True}])
def test_shards_with_other_weights_are_refused(
    volumes: Path, bundle: Bundle, output: Path, settings: dict[str, Any]
) -> None:
    run(volumes, bundle, output, shard=(1, 2))
    before = content(output)
    with pytest.raises(UsageError, match="another model or other settings wrote the report there"):
        run(volumes, replace(bundle, sha256="other"), output, shard=(2, 2), **settings)
    assert content(output).keys() - before.keys() <= {".shard-1.lock"}
    assert {name: data for name, data in content(output).items() if name in before} == before


def test_shards_with_other_weights_are_refused_before_the_first_has_a_mask(
    volumes: Path, bundle: Bundle, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    original = batch.infer_sample

    def start_the_other(sample: dict[str, Any], own: Bundle) -> Any:
        if not refused:
            refused.append("")
            with pytest.raises(UsageError, match="start all shards alike") as caught:
                run(volumes, replace(bundle, sha256="other"), output, shard=(2, 2), overwrite=True)
            refused[0] = str(caught.value)
        return original(sample, own)

    monkeypatch.setattr(batch, "infer_sample", start_the_other)
    report = run(volumes, bundle, output, shard=(1, 2))
    assert refused[0]
    assert report["model"]["sha256"] == bundle.sha256


def test_shards_may_replace_an_earlier_run_with_other_weights(volumes: Path, bundle: Bundle, output: Path) -> None:
    run(volumes, bundle, output)
    other = replace(bundle, sha256="other")
    run(volumes, other, output, shard=(1, 2), overwrite=True)
    report = run(volumes, other, output, shard=(2, 2), overwrite=True)
    assert (report["model"]["sha256"], report["summary"]["ok"]) == ("other", 2)


# Names


@pytest.mark.parametrize(
    ("name", "case_id"),
    [
        ("a_seg.nii.gz", "a"),
        ("a_seg.seg.nrrd", "a"),
        ("a_seg.labelmap.dcm", "a"),
        ("a_seg_seg.dcm", "a_seg"),
        ("a_preview.jpg", "a"),
    ],
)
def test_the_case_of_a_file(name: str, case_id: str) -> None:
    assert case_of(name) == case_id


def test_names_with_brackets_are_names(tmp_path: Path) -> None:
    (tmp_path / "a[1]_seg.png").touch()
    (tmp_path / "a1_seg.png").touch()
    assert stale_mask_warnings("a[1]", tmp_path, ()) == ["a[1]_seg.png: of an earlier run, not of this one"]
    assert stale_mask_warnings("a[1]", tmp_path, ["a[1]_seg.png"]) == []


def test_the_lock_counts_shards(tmp_path: Path) -> None:
    assert running_shards(tmp_path) == 0
    with run_lock(tmp_path, is_shard=True), run_lock(tmp_path, is_shard=True):
        assert running_shards(tmp_path) == 2
    assert running_shards(tmp_path) == 0
