"""Pictures that are segmented by the processes that read them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.inferers import SliceInferer
from PIL import Image

from s3net_monai.engines import AffineTTAInferer
from s3net_monai.inference import Bundle, Settings, find_cases, load_bundle, run_batch
from s3net_monai.inference.report.report import Report
from s3net_monai.inference.run import batch, prefetch, segment_loaded
from s3net_monai.inference.run.segment_loaded import readers_segment
from s3net_monai.utils.errors import CaseError

Before = Callable[[str], None]  # inference of the case of this id


@pytest.fixture
def skin(skin_bundle: Path) -> Bundle:
    return load_bundle("skin", skin_bundle, torch.device("cpu"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Five pictures a to e, the first bright in one pixel, the last in five."""
    (tmp_path / "in").mkdir()
    for count, name in enumerate("abcde", start=1):
        pixels = np.zeros((4, 7), dtype=np.uint8)
        pixels[1, :count] = 200
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def segment(pictures: Path, bundle: Bundle, output: Path, workers: int) -> Report:
    return run_batch(find_cases([pictures]).cases, bundle, output, settings=Settings(workers=workers))


@pytest.fixture
def before_inference(monkeypatch: pytest.MonkeyPatch) -> Callable[[Before], None]:
    """Let a function run before the inference of every case, in its process."""
    original = segment_loaded.infer_sample

    def replaced(before: Before) -> None:
        def infer(sample: dict[str, Any], bundle: Bundle) -> Any:
            before(sample["case_id"])
            return original(sample, bundle)

        monkeypatch.setattr(segment_loaded, "infer_sample", infer)

    return replaced


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_masks_and_entries_are_those_of_one_process(
    pictures: Path, skin: Bundle, tmp_path: Path, workers: int, before_inference: Callable[[Before], None]
) -> None:
    (pictures / "d.png").write_bytes(b"broken")
    expected = segment(pictures, skin, tmp_path / "alone", 0)
    processes = tmp_path / "processes"
    processes.mkdir()
    before_inference(lambda case_id: (processes / f"{case_id}-{os.getpid()}").touch())
    report = segment(pictures, skin, tmp_path / "out", workers)
    assert [vars(replace(case, seconds={})) for case in report.cases.values()] == [
        vars(replace(case, seconds={})) for case in expected.cases.values()
    ]
    assert [case.measures.get("area_px") for case in report.cases.values()] == [1, 2, 3, None, 5]
    for mask in (tmp_path / "alone").glob("*_seg.png"):
        assert (tmp_path / "out" / mask.name).read_bytes() == mask.read_bytes()
    used = {path.name.partition("-")[2] for path in processes.iterdir()}
    assert len(used) == min(workers + 1, 4)  # of five readers, one has only the broken picture
    assert str(os.getpid()) not in used
    assert all(case.seconds["infer"] > 0 for case in report.cases.values() if case.status == "ok")


def test_an_error_of_inference_costs_its_own_case(
    pictures: Path, skin: Bundle, tmp_path: Path, before_inference: Callable[[Before], None]
) -> None:
    def fail_at_b(case_id: str) -> None:
        if case_id == "b":
            raise CaseError("b.png: too small for the network")

    before_inference(fail_at_b)
    report = segment(pictures, skin, tmp_path / "out", 1)
    assert [case.status for case in report.cases.values()] == ["ok", "failed", "ok", "ok", "ok"]
    assert report.cases["b"].reason == "b.png: too small for the network"
    assert report.cases["b"].outputs == {}


def test_a_process_that_dies_in_the_network_costs_its_own_case(
    pictures: Path, skin: Bundle, tmp_path: Path, before_inference: Callable[[Before], None]
) -> None:
    def die_at_c(case_id: str) -> None:
        if case_id == "c":
            os.kill(os.getpid(), signal.SIGKILL)

    before_inference(die_at_c)
    report = segment(pictures, skin, tmp_path / "out", 1)
    assert [case.status for case in report.cases.values()] == ["ok", "ok", "failed", "ok", "ok"]
    assert "ended or blocked the process" in (report.cases["c"].reason or "")


def test_one_picture_is_written_before_the_next_is_received(
    pictures: Path, skin: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So memory holds no more cases than with a reader beside the network."""
    received: list[str] = []
    written: list[str] = []
    unpacked, write_case = prefetch._unpacked, batch.OutputWriter.write_case

    def receive(payload: bytes, case: Any) -> Any:
        assert written == received
        received.append(case.case_id)
        return unpacked(payload, case)

    def write(writer: Any, entry: Any, *arguments: Any, **options: Any) -> Any:
        written.append(entry.case_id)
        return write_case(writer, entry, *arguments, **options)

    monkeypatch.setattr(prefetch, "_unpacked", receive)
    monkeypatch.setattr(batch.OutputWriter, "write_case", write)
    segment(pictures, skin, tmp_path / "out", 1)
    assert written == list("abcde")


@pytest.mark.parametrize(
    ("mode", "workers", "num_cases", "expected"),
    [
        ("amortized", 1, 2, True),
        ("amortized", 0, 2, False),
        ("amortized", 1, 1, False),
        ("per-image", 1, 2, False),
    ],
)
def test_which_runs_segment_in_their_readers(
    skin: Bundle, bundle: Bundle, mode: str, workers: int, num_cases: int, expected: bool
) -> None:
    assert readers_segment(skin, mode=mode, workers=workers, num_cases=num_cases) == expected
    assert not readers_segment(bundle, mode=mode, workers=workers, num_cases=num_cases)  # of volumes
    of_planes = replace(bundle, inferer=AffineTTAInferer(base=SliceInferer(roi_size=(32, 32))))
    assert readers_segment(of_planes, mode=mode, workers=workers, num_cases=num_cases) == expected
    on_gpu = replace(skin, device=torch.device("cuda", 0))
    assert not readers_segment(on_gpu, mode=mode, workers=workers, num_cases=num_cases)
