"""The scripts that write tables refuse what they do not know: a misspelled ``--check`` would write."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT


@pytest.mark.parametrize("script", ["write_formats.py", "write_scores.py"])
def test_an_unknown_option_is_refused(script: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / script), "--verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"{script}: error: unrecognized arguments: --verify"
