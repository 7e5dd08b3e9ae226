"""Masks that were emptied, cut, changed or removed after a run are found when it is continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from s3net_monai.inference import Bundle, Settings, find_cases, load_bundle, run_batch

PNG, JPG = "a_seg.png", "a_preview.jpg"


@dataclass
class Runner:
    """A folder of two pictures, a and b, and the folder of their results."""

    source: Path
    output: Path
    bundle: Bundle

    def __call__(self, **settings: Any) -> dict[str, Any]:
        cases = find_cases([self.source]).cases
        run_batch(cases, self.bundle, self.output, settings=Settings(workers=0, **settings))
        report: dict[str, Any] = json.loads((self.output / "report.json").read_text())
        return report

    def masks(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.output.glob("*_*.*")}


@pytest.fixture
def run(skin_bundle: Path, tmp_path: Path) -> Runner:
    (tmp_path / "in").mkdir()
    for name in "ab":
        pixels = np.zeros((16, 20, 3), dtype=np.uint8)
        pixels[4:9, 5:11] = 200
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    return Runner(tmp_path / "in", tmp_path / "out", load_bundle("skin", skin_bundle, torch.device("cpu")))


def statuses(report: dict[str, Any]) -> str:
    return " ".join(case["status"] for case in report["cases"])


def test_the_report_has_size_and_hash_of_every_file(run: Runner) -> None:
    case = run()["cases"][0]
    assert case["outputs"] == {"png": PNG, "preview": JPG}
    for key, name in case["outputs"].items():
        content = (run.output / name).read_bytes()
        assert case["files"][key] == {"bytes": len(content), "sha256": sha256(content).hexdigest()}


def flip(content: bytes) -> bytes:
    return bytes([*content[:-20], content[-20] ^ 1, *content[-19:]])


@pytest.mark.parametrize("name", [PNG, JPG])
@pytest.mark.parametrize(
    ("change", "is_kept"),
    [(lambda content: b"", False), (lambda content: content[:50], True), (flip, True)],
    ids=["emptied", "cut", "changed"],
)
def test_a_file_that_is_not_as_it_was_written_repeats_its_case(
    run: Runner,
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: Callable[[bytes], bytes],
    is_kept: bool,
) -> None:
    run()
    before = run.masks()
    (run.output / name).write_bytes(change(before[name]))
    capsys.readouterr()
    assert statuses(run(resume=True)) == "ok complete"
    lines = [line for line in capsys.readouterr().err.splitlines() if "as the earlier run wrote" in line]
    kept = f"{name}.changed-1"
    note = f", kept as {kept}" if is_kept else ""
    assert lines == [f"a: {name} not as the earlier run wrote it{note}: the case is repeated"]
    corrected = {kept: change(before[name])} if is_kept else {}  # it may be the work of a person
    assert run.masks() == before | corrected
    assert statuses(run(resume=True)) == "complete complete"


def test_no_corrected_mask_is_replaced_by_the_next_one(run: Runner) -> None:
    run()
    for number, content in enumerate((b"first", b"second"), start=1):
        (run.output / PNG).write_bytes(content)
        run(resume=True)
        assert (run.output / f"{PNG}.changed-{number}").read_bytes() == content
    assert (run.output / f"{PNG}.changed-1").read_bytes() == b"first"


def test_a_file_that_is_gone_repeats_its_case(run: Runner) -> None:
    run()
    before = run.masks()
    (run.output / PNG).unlink()
    assert statuses(run(resume=True)) == "ok complete"
    assert run.masks() == before


def test_masks_of_an_input_that_was_removed_are_named(run: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    (run.source / "a.png").unlink()
    report = run(resume=True)
    assert [case["case_id"] for case in report["cases"]] == ["b"]
    assert report["left"] == [JPG, PNG]
    assert f"{JPG}, {PNG} left from an earlier run" in capsys.readouterr().err


def test_a_kill_while_a_case_is_repeated_leaves_no_entry_for_its_old_files(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the new mask of a killed run would be taken for one that a person has changed."""
    run()
    (run.source / "a.png").write_bytes((run.source / "b.png").read_bytes())
    before_inference: list[list[str]] = []

    def look(sample: dict[str, Any], bundle: Bundle) -> Any:
        stored = json.loads((run.output / "report.json").read_text())
        before_inference.append([case["case_id"] for case in stored["cases"]])
        return original(sample, bundle)

    from s3net_monai.inference.run import segment_loaded

    original = segment_loaded.infer_sample
    monkeypatch.setattr(segment_loaded, "infer_sample", look)
    Image.new("RGB", (20, 16), (200, 0, 0)).save(run.source / "a.png")
    run(resume=True)
    assert before_inference == [["b"]]
