"""``python -m monai.bundle run`` with a mistake on its command line: one line, and the exit code of a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("bundle", ["skin"], indirect=True, scope="session")]


def failed(bundle: Any, names: list[str], *options: str) -> tuple[int, str]:
    """Exit code, and standard error from the error on."""
    configs = str([bundle.config_file(name) for name in names])
    done = subprocess.run(
        [sys.executable, "-m", "monai.bundle", "run", "--config_file", configs, *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.partition("\nerror: ")[2].strip()


def test_misspelt_keys_of_an_evaluation(bundle: Any, tmp_path: Path) -> None:
    options = ["--bundle_root", str(bundle.root), "--output_dir", str(tmp_path), "--sectionn", "test"]
    code, error = failed(bundle, ["inference", "evaluate"], *options)
    assert (code, error) == (1, "--sectionn: no config has this key; did you mean --section?")


def test_a_wrong_path_of_a_training(bundle: Any, tmp_path: Path) -> None:
    data = tmp_path / "nothing"
    options = ["--bundle_root", str(bundle.root), "--output_dir", str(tmp_path), "--dataset_dir", str(data)]
    code, error = failed(bundle, ["train"], *options)
    assert (code, error) == (1, f"{data}: no such file or folder; give a datalist.json, or a folder of images")


def test_an_output_folder_that_is_a_file(bundle: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, error = failed(bundle, ["train"], "--bundle_root", str(bundle.root), "--output_dir", str(file))
    assert (code, error) == (1, f"{file}: a file, a folder is expected for the results; give another path")
