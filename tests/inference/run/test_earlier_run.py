"""A second run into the folder of an earlier one: refused, continued or said."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s3net_monai.inference import Bundle, UsageError
from s3net_monai.inference.report.report import read_report
from s3net_monai.inference.run.earlier_run import case_of, check_output, mask_names, stale_mask_warnings
from tests.helpers.small_runs import run, write_volume


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        write_volume(folder / f"{name}.nii.gz")
    return folder


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


def test_a_report_that_names_files_elsewhere_is_not_continued(volumes: Path, bundle: Bundle, output: Path) -> None:
    report = run(volumes, bundle, output)
    report["cases"][0]["outputs"]["nifti"] = "../in/a.nii.gz"
    (output / "report.json").write_text(json.dumps(report))
    before = content(volumes)
    with pytest.raises(UsageError, match=r"no report\.json of this version"):
        run(volumes, bundle, output, resume=True)
    assert content(volumes) == before


def test_a_report_that_cannot_be_read_is_not_taken_for_none(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network drive that is gone for a moment: whoever then wrote the report would drop the entries of others."""

    def fail(*_: Any, **__: Any) -> str:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(OSError, match="Stale"):
        read_report(output)


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
    earlier = mask_names(tmp_path)
    assert stale_mask_warnings("a[1]", tmp_path, (), earlier) == ["a[1]_seg.png: of an earlier run, not of this one"]
    assert stale_mask_warnings("a[1]", tmp_path, ["a[1]_seg.png"], earlier) == []
    (tmp_path / "a[1]_seg.png").unlink()
    assert stale_mask_warnings("a[1]", tmp_path, (), earlier) == []


def test_masks_of_other_cases_whose_names_begin_alike_are_not_stale(tmp_path: Path) -> None:
    for name in ("a_seg.png", "a_seg.nii.gz", "a1_seg.png", "a_seg_seg.png", "A_seg.png", "a_preview.jpg", "b_seg.png"):
        (tmp_path / name).touch()
    earlier = mask_names(tmp_path)
    assert len(earlier) == 6
    warnings = stale_mask_warnings("a", tmp_path, ["a_seg.png"], earlier)
    assert warnings == ["a_seg.nii.gz: of an earlier run, not of this one"]
    assert stale_mask_warnings("c", tmp_path, (), earlier) == []


def test_a_report_that_is_nested_too_deeply_is_none(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("[" * 100_000 + "]" * 100_000)
    assert read_report(tmp_path) is None
