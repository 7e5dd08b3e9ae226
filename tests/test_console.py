"""What the commands print, and to whom."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from s3net_monai.cli import main

PROGRAM = [sys.executable, "-m", "s3net_monai"]


@pytest.fixture
def closed_pipe() -> int:
    """The writing end of a pipe whose reader has gone, as after ``head``."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_closed_pipe_is_quiet(closed_pipe: int) -> None:
    done = subprocess.run([*PROGRAM, "info"], stdout=closed_pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [["info"], ["info", "--help"]])
def test_results_that_cannot_be_printed_are_an_error_in_words(words: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        command = [*PROGRAM, *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    problem = "standard output: no space left on its disk; free some or give a path on another disk"
    assert (done.returncode, done.stderr) == (1, f"s3net: error: {problem}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_messages_that_cannot_be_printed_end_nothing() -> None:
    with open("/dev/full", "w") as full:
        words = [*PROGRAM, "segment"]
        done = subprocess.run([*PROGRAM, "info"], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
        unusable = subprocess.run([*words, "--task", "lung", "--output", "/"], stderr=full, check=False)
    assert (done.returncode, unusable.returncode) == (0, 2)
    assert done.stdout.startswith("s3net ")


def test_a_run_goes_on_without_its_reader(closed_pipe: int, lung_bundle: Path, tmp_path: Path) -> None:
    for name in "ab":
        nib.save(
            nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.int16), np.diag([20, 20, 20, 1])), tmp_path / f"{name}.nii.gz"
        )
    words = ["segment", str(tmp_path), "--task", "lung", "--bundle", str(lung_bundle)]
    words += ["--output", str(tmp_path / "out")]
    done = subprocess.run([*PROGRAM, *words], stdout=closed_pipe, stderr=closed_pipe, check=False)
    assert done.returncode == 0
    assert (tmp_path / "out" / "b_seg.nii.gz").is_file()
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_last_line_of_segment(lung_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    hu = np.full((3, 3, 3), -900, dtype=np.int16)
    nib.save(nib.Nifti1Image(hu, np.eye(4)), source / "a.nii.gz")
    nib.save(nib.Nifti1Image(hu, np.eye(4)), source / "b.nii.gz")
    (source / "notes.txt").write_text("x")
    (source / "c.nii.gz").write_bytes(b"broken")
    words = ["segment", str(source), "--task", "lung", "--bundle", str(lung_bundle), "--output", str(output)]

    assert main(words) == 1
    line = capsys.readouterr().out
    assert line.startswith("2 ok, 1 failed, 0 skipped in ")
    assert "; passed over: 1 file that is no image; " in line
    assert line.endswith(f"next: see why in {output}/report.html, and repeat the failed ones with --resume\n")

    (source / "c.nii.gz").unlink()
    assert main([*words, "--resume"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("0 ok, 0 failed, 0 skipped, 2 complete from an earlier run in ")
    assert line.endswith(f"next: review 2 cases in {output}/report.html\n")  # the sides of the lung are not told apart


def test_the_last_line_of_prepare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "ph2"
    for name in ("images/IMD003.jpg", "masks/IMD003.png", "images/IMD005.jpg", "masks/IMD005.png"):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(len(name) + int(name[-5])).integers(0, 2, (8, 9)).astype(np.uint8)
        Image.fromarray(values * 255).convert("RGB" if "images" in name else "L").save(path)
    (source / "PH2_dataset.txt").write_text("x")
    assert main(["prepare", "ph2", str(source), str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path}/out/datalist.json\n"
    last = printed.err.splitlines()[-1]
    assert last.startswith("2 cases: ")
    assert last.endswith(f"; 1 other file in {source} was passed over; next: train with --dataset_dir {tmp_path}/out")
