"""A disk that is full, read-only or gone ends the run early, in one line, and the run can be continued."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3net_monai.cli import main
from s3net_monai.inference.run import batch, outputs, prefetch, segment_loaded
from tests.helpers.small_runs import write_uniform_volume

NUM_CASES = 4
WORDS = {
    errno.ENOSPC: "no space left on its disk; free some",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "a file larger than its disk or this process (ulimit -f) may hold; raise the limit",
    errno.EROFS: "on a read-only file system; make it writable",
    errno.EIO: "its disk or network drive fails (input/output error); check it",
}


@pytest.fixture
def words(lung_bundle: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "in").mkdir()
    for index in range(NUM_CASES):
        write_uniform_volume(tmp_path / "in" / f"{index}.nii.gz", -900 + index)
    source, output = str(tmp_path / "in"), str(tmp_path / "out")
    return ["segment", source, "--task", "lung", "--bundle", str(lung_bundle), "--output", output, "--workers", "0"]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, OSError], None]:
    """Let a function raise an error from its second call on, as it does where the second case finds a full disk."""

    def fail(module: Any, name: str, error: OSError) -> None:
        original, calls = getattr(module, name), []

        def function(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) > 1:
                raise error
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, function)

    return fail


def stored(tmp_path: Path) -> list[tuple[str, str | None]]:
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    return [(case["status"], case["reason"]) for case in report["cases"]]


@pytest.mark.parametrize("number", WORDS, ids=errno.errorcode.get)
@pytest.mark.parametrize("function", ["write_mask", "write_preview"])
def test_a_full_disk_ends_the_run_and_the_other_cases_are_skipped(
    words: list[str],
    tmp_path: Path,
    failing: Callable[[Any, str, OSError], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    number: int,
) -> None:
    with monkeypatch.context():
        failing(outputs, function, OSError(number, os.strerror(number)))
        assert main(words) == 1
    shown = capsys.readouterr().err
    line = f"{WORDS[number]} or give a path on another disk, then continue with --resume"
    assert shown.count(f"{tmp_path / 'out'}: {line}\n") == 1
    assert "Errno" not in shown
    assert "Traceback" not in shown
    assert stored(tmp_path) == [("ok", None), *[("skipped", line)] * (NUM_CASES - 1)]
    assert sorted(path.name for path in (tmp_path / "out").glob("*_*")) == ["0_preview.jpg", "0_seg.nii.gz"]
    assert not list((tmp_path / "out").glob(".partial-*"))
    monkeypatch.undo()
    assert main([*words, "--resume"]) == 0
    assert [status for status, _ in stored(tmp_path)] == ["complete", *["ok"] * (NUM_CASES - 1)]


def test_an_input_that_fails_while_its_mask_is_written_costs_its_own_case(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An input/output error may be of the source, whose header the writers read."""
    original = outputs.write_mask

    def write(mask: Any, folder: Path, *, case_id: str, format_name: str) -> Path:
        if case_id == "1":
            (tmp_path / "in" / "1.nii.gz").unlink()
            raise OSError(errno.EIO, "Input/output error")
        return original(mask, folder, case_id=case_id, format_name=format_name)

    monkeypatch.setattr(outputs, "write_mask", write)
    assert main(words) == 1
    assert [status for status, _ in stored(tmp_path)] == ["ok", "failed", "ok", "ok"]


def test_a_report_that_cannot_be_written_ends_the_run_and_stays_the_last_complete_one(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path.write_text
    reports: list[str] = []

    def write(path: Path, text: str, **options: Any) -> int:
        if path.name.startswith("report"):
            reports.append(path.name)
            if len(reports) > 3:
                raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, text, **options)

    monkeypatch.setattr(batch, "REPORT_INTERVAL", 0.0)
    monkeypatch.setattr(Path, "write_text", write)
    assert main(words) == 1
    shown = capsys.readouterr().err
    assert shown.count("no space left on its disk") == 1
    assert stored(tmp_path) == [("ok", None)] * len(stored(tmp_path))
    assert 0 < len(stored(tmp_path)) < NUM_CASES
    assert len(list((tmp_path / "out").glob("*_seg.nii.gz"))) < NUM_CASES
    monkeypatch.undo()
    assert main([*words, "--resume"]) == 0
    assert len(stored(tmp_path)) == NUM_CASES


def test_a_full_temporary_folder_ends_the_run_and_is_named(
    words: list[str],
    tmp_path: Path,
    failing: Callable[[Any, str, OSError], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "scratch").mkdir()
    failing(prefetch, "read_case", OSError(errno.ENOSPC, "No space left on device"))
    assert main(words) == 1
    line = "no space left on its disk; free some or set TMPDIR to a folder on another disk, then continue with --resume"
    assert f"{tmp_path / 'scratch'}: {line}" in capsys.readouterr().err
    assert stored(tmp_path) == [("ok", None), *[("skipped", line)] * (NUM_CASES - 1)]


def test_an_output_folder_that_is_gone_ends_the_run(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = segment_loaded.infer_sample

    def lose_at_1(sample: dict[str, Any], bundle: Any) -> Any:
        if sample["case_id"] == "1":
            (tmp_path / "out").rename(tmp_path / "unmounted")
        return original(sample, bundle)

    monkeypatch.setattr(segment_loaded, "infer_sample", lose_at_1)
    assert main(words) == 1
    shown = capsys.readouterr().err
    assert shown.count(f"{tmp_path / 'out'}: no such file or folder; check the path") == 1
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()  # nobody looks for results in a new folder beside the drive that is gone


def test_a_key_that_does_not_fit_on_its_disk_ends_with_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(source: Path, destination: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", replace)
    assert main([*words, "--key", str(tmp_path / "keys" / "key.csv")]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "no space" in line]
    remedy = "no space left on its disk; free some or give a path on another disk"
    assert lines == [f"s3net: error: {tmp_path / 'keys' / 'key.csv'}: {remedy}"]
    assert list((tmp_path / "keys").glob(".partial-*")) == []
