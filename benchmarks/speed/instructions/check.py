"""Count the instructions of each script and compare them with the stored counts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.common.output import json_text
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.printing import ArgumentParser, print_note, print_result

FOLDER = Path(__file__).parent
STORED = FOLDER / "instructions.json"
ITEMS = ("forward", "read_series", "write_mask")
MAX_GROWTH = 0.10
REMEDY = "make it cheaper, or store the new counts with `make bench-check UPDATE=1` and say why in the commit"
_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)
# Callgrind knows no AVX-512; hash seeds, threads and bytecode would change the counts from run to run.
_ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Compare or store the counts; return 1 for a regression or a script that fails, otherwise 0."""
    parser = ArgumentParser(prog="python -m benchmarks.speed.instructions", description=__doc__)
    parser.add_argument("--update", action="store_true", help="store the counts in place of a comparison")
    update = parser.parse_args(argv).update
    if shutil.which("valgrind") is None:
        print_result("bench-check: skipped, valgrind is not installed; apt-get install valgrind")
        return 0
    counts = {}
    for name in ITEMS:
        try:
            counts[name] = count(FOLDER / f"{name}.py")
        except RuntimeError as error:
            print_note(f"bench-check: {name}: {error}")
            return 1
        print_result(f"{name}: {counts[name]:,} instructions")
    if update:
        with atomic_path(STORED) as temporary:
            temporary.write_text(json_text(counts), encoding="utf-8")
        return 0
    regressions = compare(counts, json.loads(STORED.read_text(encoding="utf-8")))
    print_note(*regressions) if regressions else print_result("bench-check: no regression")
    return 1 if regressions else 0


def compare(counts: Mapping[str, int], stored: Mapping[str, int]) -> list[str]:
    """Return a line for each count that is more than ``MAX_GROWTH`` above the stored one."""
    lines = []
    for name, value in counts.items():
        if value > stored[name] * (1 + MAX_GROWTH):
            growth = value / stored[name] - 1
            lines.append(
                f"bench-check: {name}: {value:,} instructions, stored {stored[name]:,} (+{growth:.0%}, at most "
                f"+{MAX_GROWTH:.0%}); {REMEDY}"
            )
    return lines


def count(script: Path) -> int:
    """Run a script under callgrind and return the instructions of what it counts.

    Raises:
        RuntimeError: when the script fails or counts nothing.
    """
    with tempfile.TemporaryDirectory(prefix="s3net-callgrind-") as folder:
        output = Path(folder) / "callgrind.out"
        options = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
        ended = subprocess.run(
            ["valgrind", *options, sys.executable, str(script)],
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": str(FOLDER.parents[2])},
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise RuntimeError((ended.stderr.strip().splitlines() or ["no message"])[-1])
        instructions = sum(int(found) for found in _TOTALS.findall(output.read_text(encoding="utf-8")))
    if not instructions:
        raise RuntimeError("callgrind counted nothing; look at callgrind_control in counted.py")
    return instructions
