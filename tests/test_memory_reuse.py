"""Freed memory is used again without the system clearing its pages."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from s3net_monai.utils.memory_reuse import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.full(1 << 24, 1.0, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.full(1 << 24, 1.0, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(argument: str) -> int:
    command = [sys.executable, "-c", FAULTS, argument]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_pages_of_freed_arrays_stay() -> None:
    """By default three arrays of 64 MB are new pages every time: 96 of 2 MB at least, 49,152 of 4 KB at most."""
    assert page_faults("default") >= 90
    assert page_faults("keep") < 30
