"""Environments of the measured builds, each made once in the work folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.common.work_folder import folder_lock
from benchmarks.speed.measured import Build, MeasureError
from s3net_monai.utils.printing import print_note

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "c7237f4059815d9a99dfa27e35716f35dab4afea"  # the last commit before the work on speed
LUNGMASK = "0.2.22"
_DONE = ".made"


def this_build() -> Build:
    """Return the checkout that runs the benchmark."""
    return Build(Path(sys.executable), ROOT)


def build_before(work: Path) -> Build:
    """Return the build at ``BEFORE``, in an environment of its own constraints.

    Raises:
        MeasureError: where git has no such commit, or pip fails.
    """
    folder = work / "before"
    source = folder / "source"

    def make(python: Path) -> None:
        archive = folder / "source.tar"
        _run(["git", "-C", str(ROOT), "archive", "--output", str(archive), BEFORE])
        source.mkdir(exist_ok=True)
        _run(["tar", "--extract", "--file", str(archive), "--directory", str(source)])
        archive.unlink()
        _pip(python, ["--constraint", str(source / "constraints.txt"), "--editable", f"{source}[dicom-codecs]"])

    return Build(_environment(folder, BEFORE, make), source)


def lungmask_build(work: Path) -> Build:
    """Return an environment with lungmask and the versions of this build's constraints.

    Raises:
        MeasureError: where pip fails.
    """
    folder = work / "lungmask"

    def make(python: Path) -> None:
        _pip(python, ["--constraint", str(ROOT / "constraints.txt"), f"lungmask=={LUNGMASK}"])

    return Build(_environment(folder, LUNGMASK, make), folder)


def _environment(folder: Path, version: str, make: Callable[[Path], None]) -> Path:
    python = folder / "environment" / "bin" / "python"
    done = folder / _DONE
    with folder_lock(folder, wait=True):
        if not done.is_file() or done.read_text(encoding="utf-8") != version:
            print_note(f"{folder.name}: making its environment")
            _run([sys.executable, "-m", "venv", "--clear", str(python.parents[1])])
            make(python)
            done.write_text(version, encoding="utf-8")
    return python.absolute()  # not resolved, since the interpreter of an environment is a link


def _pip(python: Path, packages: Sequence[str]) -> None:
    _run([str(python), "-m", "pip", "install", "--quiet", *packages])


def _run(command: Sequence[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise MeasureError(f"{Path(command[0]).name} {command[1]} failed: {last[:300]}")
