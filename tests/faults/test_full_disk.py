"""Runs on disks that are full, by a small file system in memory and by a limit on the size of files."""

from __future__ import annotations

import json
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.faults.forked_run import Ended, start_run
from benchmarks.faults.results import differing, results
from benchmarks.faults.run_inputs import segment_words
from benchmarks.faults.toy_bundle import toy_bundle

pytestmark = pytest.mark.slow

SEED = 5
FULL = "no space left on its disk; free some or give a path on another disk, then continue with --resume"


def noisy_pictures(folder: Path) -> list[str]:
    """Pictures whose masks and previews take tens of kilobytes, and the words that segment them."""
    (folder / "in").mkdir(parents=True)
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 256, (120, 160, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "in" / f"{index}.png")
    bundle = toy_bundle(folder / "bundle", "skin")
    return ["segment", str(folder / "in"), "--task", "skin", "--bundle", str(bundle), "--formats", "png"]


def check_end(ended: Ended, output: Path, line: str) -> None:
    """A run on a full disk says so once, and leaves a valid report and nothing half-written."""
    assert ended.code == 1, ended.text
    assert ended.text.count(line) == 1, ended.text
    assert "Errno" not in ended.text
    assert "Traceback" not in ended.text
    assert not list(output.glob(".partial-*"))
    if (output / "report.json").exists():
        for case in json.loads((output / "report.json").read_text())["cases"]:
            assert case["status"] in ("ok", "complete", "skipped")
            for key, record in case["files"].items():
                assert (output / case["outputs"][key]).stat().st_size == record["bytes"]


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Callable[[], None]]:
    """Mount a file system of this size on ``folder``, and yield a function that enlarges it."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        folder.rmdir()
        pytest.skip("no right to mount a file system; the test with a limit on the size of files runs everywhere")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True) and None
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def test_runs_on_full_disks_are_resumed_to_the_files_of_an_undisturbed_one(tmp_path: Path) -> None:
    words = noisy_pictures(tmp_path)
    undisturbed = start_run([*words, "--output", str(tmp_path / "whole")], tmp_path / "log").end()
    assert undisturbed.code == 0, undisturbed.text
    expected = results(tmp_path / "whole")
    needed = sum(path.stat().st_size for path in (tmp_path / "whole").iterdir()) // 1024
    generator = random.Random(SEED)
    for kilobytes in [4, *(4 * generator.randrange(2, needed // 4) for _ in range(6))]:
        with small_disk(tmp_path / "disk", kilobytes) as enlarge:
            output = tmp_path / "disk" / "out"
            run = [*words, "--output", str(output)]
            check_end(start_run(run, tmp_path / "log").end(), output, f"{output}: {FULL}")
            enlarge()
            resumed = start_run([*run, "--resume"], tmp_path / "log").end()
            assert resumed.code == 0, resumed.text
            assert differing(expected, results(output)) == []


def test_a_limit_on_the_size_of_files_ends_the_run_in_the_same_way(tmp_path: Path) -> None:
    words = noisy_pictures(tmp_path)
    assert start_run([*words, "--output", str(tmp_path / "whole")], tmp_path / "log").end().code == 0
    expected = results(tmp_path / "whole")
    sizes = sorted(path.stat().st_size for path in (tmp_path / "whole").glob("*_*"))
    for limit in (sizes[0] - 1, sizes[-1] - 1):  # no mask, not every preview

        def restrict(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

        run = [*words, "--output", str(tmp_path / "out")]
        line = f"{tmp_path / 'out'}: a file larger than its disk or this process (ulimit -f) may hold; raise the limit"
        check_end(start_run(run, tmp_path / "log", before=restrict).end(), tmp_path / "out", line)
        assert start_run([*run, "--resume"], tmp_path / "log").end().code == 0
        assert differing(expected, results(tmp_path / "out")) == []
        shutil.rmtree(tmp_path / "out")


def test_archives_that_do_not_fit_into_the_temporary_folder_fail_alone(tmp_path: Path) -> None:
    words = segment_words("archives", tmp_path)
    with small_disk(tmp_path / "scratch", 8) as enlarge:
        run = [*words, "--output", str(tmp_path / "out")]
        ended = start_run(run, tmp_path / "log", scratch=tmp_path / "scratch").end()
        assert ended.code == 1, ended.text
        assert "set TMPDIR" in ended.text
        assert "Errno" not in ended.text
        assert list((tmp_path / "scratch").iterdir()) == []
        cases = json.loads((tmp_path / "out" / "report.json").read_text())["cases"]
        assert {case["status"] for case in cases} == {"failed", "ok"}
        enlarge()
        resumed = start_run([*run, "--resume"], tmp_path / "log", scratch=tmp_path / "scratch").end()
        assert resumed.code == 0, resumed.text


def test_a_key_on_a_full_disk_is_named(tmp_path: Path) -> None:
    words = segment_words("pictures", tmp_path)
    with small_disk(tmp_path / "disk", 4):
        (tmp_path / "disk" / "other").write_bytes(bytes(4096))
        key = tmp_path / "disk" / "key.csv"
        run = [*words, "--output", str(tmp_path / "out"), "--key", str(key)]
        ended = start_run(run, tmp_path / "log").end()
        assert ended.code == 1, ended.text
        assert (
            ended.text == f"s3net: error: {key}: no space left on its disk; free some or give a path on another disk\n"
        )
