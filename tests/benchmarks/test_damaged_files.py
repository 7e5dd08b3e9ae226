"""The measurements of damaged files count what they say; a small one is part of every test run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults import bit_flips, mutations, sound_files
from benchmarks.faults.reading import Image, outcome, read
from s3net_monai.io import VolumeReader


@pytest.mark.slow
def test_flipped_bits_change_nothing(tmp_path: Path) -> None:
    measured = bit_flips.measure(tmp_path, count=132)
    assert measured["tried"] == 132
    assert measured["wrong"] == 0, measured["examples"]
    assert all(outcomes["refused"] > 6 for outcomes in measured["kinds"].values())


def test_flipped_bits_are_counted_where_checksums_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Voxels in place of the stream: those of another volume, whatever the file holds."""
    other = (sound_files.voxels() + 1).tobytes(order="F")
    bases = {"NRRD": bit_flips._bases()["NRRD gzip, detached"]}
    sound = Image(sound_files.voxels(), np.diag([-1.5, -2.0, 5.0, 1.0]), ())
    monkeypatch.setattr(bit_flips, "_bases", lambda: bases)
    monkeypatch.setattr(bit_flips, "read", lambda *_, **__: sound)
    monkeypatch.setattr("s3net_monai.io.volume_voxels.expand", lambda *_: iter([other]))
    measured = bit_flips.measure(tmp_path, count=5)
    assert measured["wrong"] == 5
    assert measured["kinds"]["NRRD"] == {"changed": 5}


@pytest.mark.slow
def test_mutated_files_are_refused_or_read(tmp_path: Path) -> None:
    measured = mutations.measure(tmp_path, count=300)
    assert measured["tried"] == 300
    assert measured["wrong"] == 0, measured["examples"]
    assert set(measured["kinds"]) == set(mutations.base_names())
    assert not list(tmp_path.iterdir())


def test_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sound_files.itk_volume("a.mha")
    (tmp_path / "a.mha").write_bytes(files["a.mha"])
    sound = read(tmp_path, "a.mha")
    other = sound_files.itk_volume("a.mha", array=sound_files.voxels() + 1)
    moved = {"a.mha": files["a.mha"].replace(b"Offset = -30", b"Offset = -31")}
    noted = {"a.mha": moved["a.mha"].replace(b"RAI", b"LAI")}
    assert outcome(tmp_path, "a.mha", files, sound) == "equal"
    assert outcome(tmp_path, "a.mha", other, sound) == "changed"
    assert outcome(tmp_path, "a.mha", moved, sound) == "changed"
    assert outcome(tmp_path, "a.mha", noted, sound) == "warned"
    assert outcome(tmp_path, "a.mha", {"a.mha": files["a.mha"][:-1]}, sound) == "refused"
    monkeypatch.setattr(VolumeReader, "load", lambda *_: 1 // 0)
    assert outcome(tmp_path, "a.mha", files, sound).startswith("traceback: ZeroDivisionError")


def test_a_process_that_hangs_or_ends_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "SECONDS", 0.2)
    worker = mutations._Worker(tmp_path)
    monkeypatch.setattr(worker, "_start", lambda: _connect(worker, ends=False))
    assert worker.run("NIfTI", "flip", 0)[0] == "hang"
    monkeypatch.setattr(worker, "_start", lambda: _connect(worker, ends=True))
    assert worker.run("NIfTI", "flip", 0)[0] == "crash"


def _connect(worker: mutations._Worker, *, ends: bool) -> None:
    """Put a process in place that waits, or is about to end."""
    import multiprocessing
    import time

    context = multiprocessing.get_context("fork")
    worker._pipe, other = context.Pipe()
    worker._process = context.Process(target=(lambda: None) if ends else (lambda: time.sleep(60)))
    worker._process.start()
    other.close()


def test_a_sound_file_does_not_hold_the_time_at_which_it_was_made() -> None:
    """Else a measurement would not damage the same bytes in every run."""
    assert b"\n# on 2000-01-01 00:00:00(GMT).\n" in sound_files.segmentation()["label.seg.nrrd"]
