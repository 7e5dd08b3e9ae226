"""A large batch: 200 mixed inputs, of which 20 are bad, through the command line."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from benchmarks.faults.toy_bundle import toy_bundle
from s3net_monai.cli import main
from s3net_monai.io import limits
from tests.helpers.bad_inputs import BAD, MIN_RATIO_BYTES, make_bad_inputs
from tests.helpers.dicom_tools import foreground_positions, read_with_highdicom, read_with_simpleitk
from tests.helpers.expected_masks import THRESHOLD, Inputs, Truth
from tests.helpers.mixed_inputs import make_good_inputs

IDENTIFIERS = ("zebra", "quagga", "pidmark", "accmark", "1.2.826.0.1")  # the last begins every UID that the inputs hold
EXCLUSION_REASONS = {  # of the series that were not selected where a study holds several
    "series 1": "ImageType is ORIGINAL, PRIMARY, LOCALIZER, not in LOCALIZER, SCOUT expected",
    "series 4": "3 slices, the selected series has 5",
    "series 5": "Orientation is sagittal, axial expected",
    "series 6": "ImageType is DERIVED, SECONDARY, MPR, contains PRIMARY expected",
}


@pytest.mark.slow
def test_two_hundred_mixed_inputs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", MIN_RATIO_BYTES)
    inputs = make_good_inputs(tmp_path / "in")
    make_bad_inputs(inputs.tree)
    output = tmp_path / "out"
    command = ["segment", *map(str, (inputs.tree, *inputs.separate)), "--bundle", str(_bundle(tmp_path / "toy"))]
    command += ["--task", "lung", "--output", str(output), "--device", "cpu", "--workers", "2"]
    command += ["--formats", "nifti,dicomseg,segnrrd"]

    assert main(command) == 1
    printed = "".join(capfd.readouterr())
    report = json.loads((output / "report.json").read_text())
    assert "180 ok, 20 failed, 0 skipped" in printed
    unsuited = sum(not truth.dicom for truth in inputs.truths.values())
    assert (output / "report.html").read_text().count("<p>no dicomseg written: a SEG needs a DICOM series") == unsuited
    _check_reasons(report)
    _check_masks(report, inputs, output)
    _check_choice(report)
    _check_identifiers(output, printed)

    written = {path: path.stat().st_mtime_ns for path in output.glob("*_*") if path.suffix not in (".json", ".html")}
    assert main([*command, "--resume"]) == 1
    report = json.loads((output / "report.json").read_text())
    assert Counter(case["status"] for case in report["cases"]) == {"complete": 180, "failed": 20}
    assert {path: path.stat().st_mtime_ns for path in written} == written
    _check_reasons(report)
    _check_identifiers(output, "".join(capfd.readouterr()))


def _bundle(root: Path) -> Path:
    """The toy bundle, with a threshold that lies inside the values 0 to 255 of 2-D images."""
    weights = toy_bundle(root, "lung") / "models" / "model.pt"
    state = torch.load(weights, weights_only=True)
    torch.save({**state, "0.bias": torch.tensor([0.0, THRESHOLD])}, weights)
    return root


def _check_reasons(report: dict[str, Any]) -> None:
    reasons = {case["case_id"]: case["reason"] for case in report["cases"] if case["status"] == "failed"}
    assert set(reasons) == {f"bad {kind}" for kind in BAD}
    for kind, (_, phrase) in BAD.items():
        reason = reasons[f"bad {kind}"]
        assert phrase in reason
        assert reason.startswith(f"bad {kind}")
        assert "\n" not in reason


def _check_masks(report: dict[str, Any], inputs: Inputs, output: Path) -> None:
    complete = {_key(case["case_id"]): case for case in report["cases"] if case["status"] != "failed"}
    assert set(complete) == set(inputs.truths)
    for key, truth in inputs.truths.items():
        outputs = {name: output / path for name, path in complete[key]["outputs"].items()}
        assert set(outputs) == {"nifti", "segnrrd", "preview", *(["dicomseg"] if truth.dicom else [])}, key
        formats = [note for note in complete[key]["notes"] if note.startswith("no dicomseg written")]
        assert len(formats) == int(not truth.dicom), key
        _check_mask(truth, outputs, key)


def _key(case_id: str) -> str:
    match = re.search(r"(?<= )c\d{3}(_series\d)?", case_id)  # after a space, which no pseudonym has
    assert match, case_id
    return match[0]


def _check_mask(truth: Truth, outputs: dict[str, Path], key: str) -> None:
    """Check that the grid is that of the source and that the foreground is where the generator put it."""
    image: Any = nibabel.load(outputs["nifti"])
    array = np.asarray(image.dataobj)
    slicer, slicer_affine = read_with_simpleitk(outputs["segnrrd"])
    if truth.affine is None:
        np.testing.assert_array_equal(array.squeeze(), truth.mask, key)
        np.testing.assert_array_equal(slicer.squeeze(), truth.mask, key)
        return
    inside = foreground_positions(truth.mask, truth.affine)
    for voxels, affine in ((array, image.affine), (slicer, slicer_affine)):
        assert voxels.shape == truth.mask.shape, key
        corners = foreground_positions(_corners(truth.mask.shape), truth.affine)
        assert foreground_positions(_corners(voxels.shape), affine) == corners, key
        assert foreground_positions(voxels, affine) == inside, key
    if truth.dicom:
        assert foreground_positions(*read_with_highdicom(outputs["dicomseg"])) == inside, key


def _corners(shape: tuple[int, ...]) -> np.ndarray:
    corners = np.zeros(shape)
    corners[np.ix_(*[[0, -1]] * len(shape))] = 1
    return corners


def _check_choice(report: dict[str, Any]) -> None:
    excluded = Counter(
        (series["series"].split(" of ")[0].split(" (")[0], series["reason"]) for series in report["excluded"]
    )
    # Four studies of five series each, and one scout on each of four discs.
    assert excluded == {
        (series, reason): 8 if series == "series 1" else 4 for series, reason in EXCLUSION_REASONS.items()
    }
    selected = [case for case in report["cases"] if case["selection"]]
    assert sum("of 5 slices, selected from 5 series" in case["selection"] for case in selected) == 4
    assert len(selected) == 8


def _check_identifiers(output: Path, printed: str) -> None:
    texts = {"terminal": printed.encode()}
    for path in output.rglob("*"):
        texts[f"the name of {path.name}"] = path.name.encode()
        if path.suffix != ".dcm":  # a DICOM SEG must name the patient
            content = path.read_bytes()
            texts[path.name] = gzip.decompress(content) if path.suffix == ".gz" else content
    leaks = [(source, word) for source, text in texts.items() for word in IDENTIFIERS if word.encode() in text.lower()]
    assert not leaks
