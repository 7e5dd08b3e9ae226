"""Imports point one way, and nothing needs an operating system that is not Windows."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

SOURCES = sorted(
    path for package in ("s3net_monai", "data_prep", "benchmarks") for path in (ROOT / package).rglob("*.py")
)


def test_imports_point_one_way() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize("module", ["fcntl", "pwd", "grp", "resource", "termios"])
def test_no_module_of_unix_alone_is_imported(module: str) -> None:
    pattern = re.compile(rf"^\s*(import\s+([\w.]+\s*,\s*)*|from\s+){module}\b", re.MULTILINE)
    assert SOURCES
    assert [path.name for path in SOURCES if pattern.search(path.read_text(encoding="utf-8"))] == []


def test_no_signal_of_unix_alone_is_needed() -> None:
    pattern = re.compile(r"\bsignal\.(SIG(HUP|KILL|QUIT|ALRM|USR[12]|CHLD)|alarm|setitimer|pause)\b|from signal import")
    # benchmarks that end the processes which they started, on Linux
    sources = [path for path in SOURCES if path.parent.name not in ("faults", "speed")]
    assert sources
    assert [path.name for path in sources if pattern.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "package", ["networks", "losses", "transforms", "engines", "io", "data", "inference", "evaluation"]
)
def test_no_public_name_is_that_of_its_module(package: str) -> None:
    """From Python 3.12 on MONAI takes ``package.name`` in a config for the module, where there is one of that name."""
    module = importlib.import_module(f"s3net_monai.{package}")
    modules = {submodule.name for submodule in pkgutil.iter_modules(module.__path__)}
    assert modules
    assert modules & set(getattr(module, "__all__", ())) == set()
