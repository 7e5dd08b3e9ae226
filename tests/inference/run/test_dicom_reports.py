"""What a report says about DICOM that needs a word: copies, zeros, keys, missing thickness, several times."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from pydicom import config, dcmread

from benchmarks.faults.toy_bundle import toy_bundle
from s3net_monai.inference import Settings, find_cases, load_bundle, run_batch
from tests.helpers.identifying_headers import without_digests
from tests.helpers.mixed_dicom import SLICE, make_series

HU = np.full((6, *SLICE), -1000)
HU[:, :, 17:] = 0  # the left half is foreground of the toy bundle
VOXEL_ML = 2.0 / 1000
HALF = SLICE[0] * 17


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The report's entries of a run over a tree of odd series, by case, and the output folder."""
    root, output = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("out")
    make_series(HU).save(root / "clean")
    for file in list(make_series(HU).save(root / "doubled").iterdir()):
        shutil.copy(file, file.with_name(f"copy-{file.name}"))
    for file in make_series(HU).save(root / "bare", names=[f"IM{i}" for i in range(6)]).iterdir():
        data = file.read_bytes()
        file.write_bytes(data[144 + int.from_bytes(data[140:144], "little") :])
    padded = make_series(HU)
    for dataset in padded.slices:
        dataset.PixelData = dataset.PixelData + bytes(512)
    padded.save(root / "padded")
    with config.disable_value_validation():
        make_series(HU, tags={"PatientID": "7" * 80, "AccessionNumber": "8" * 20, "StudyID": "9" * 20}).save(
            root / "keys"
        )
    thick = make_series(HU[:1], step=5.0)
    thick.save(root / "thick")
    make_series(HU[:1], tags={"SliceThickness": ""}).save(root / "thin")
    passes = make_series(HU)
    for index, dataset in enumerate(passes.slices):
        dataset.AcquisitionNumber = 1 + index % 2
    passes.save(root / "passes")
    for index in range(16):
        (root / "other").mkdir(exist_ok=True)
        (root / "other" / f"{index}.dcm").write_bytes(b"no DICOM" * 50)
    discovery = find_cases([root], output)
    bundle = load_bundle("lung", toy_bundle(tmp_path_factory.mktemp("toy") / "toy_lung", "lung"), torch.device("cpu"))
    settings = Settings(formats=("nifti", "dicomseg", "segnrrd"), workers=0)
    run_batch(discovery.cases, bundle, output, settings=settings, excluded=discovery.excluded)
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    return {entry["case_id"]: entry for entry in report["cases"]}, output


def test_every_series_is_one_case(entries: tuple[dict[str, Any], Path]) -> None:
    cases, _ = entries
    assert {name: entry["status"] for name, entry in cases.items()} == {
        **dict.fromkeys(("clean", "doubled", "bare", "padded", "keys", "thick", "thin"), "ok"),
        **dict.fromkeys(("passes", "other"), "failed"),
    }
    assert cases["passes"]["reason"].startswith(
        "passes: several acquisitions: slices that differ in AcquisitionNumber alternate along the series"
    )
    assert cases["other"]["reason"].startswith(
        "other: no readable file: all 16 DICOM files are damaged; the first: 0.dcm"
    )


@pytest.mark.parametrize("name", ["doubled", "bare", "padded", "keys"])
def test_masks_are_those_of_the_clean_series(entries: tuple[dict[str, Any], Path], name: str) -> None:
    cases, output = entries
    assert cases[name]["measures"]["volume_ml"] == pytest.approx(6 * HALF * VOXEL_ML)
    clean, mask = (nib.load(output / cases[case]["outputs"]["nifti"]) for case in ("clean", name))
    np.testing.assert_array_equal(np.asarray(mask.dataobj), np.asarray(clean.dataobj))
    np.testing.assert_allclose(mask.affine, clean.affine)


def test_warnings_say_what_was_done(entries: tuple[dict[str, Any], Path]) -> None:
    cases, _ = entries
    warnings = {
        name: [text for text in entry["warnings"] if "left and right lung" not in text] for name, entry in cases.items()
    }
    assert warnings["clean"] == warnings["bare"] == warnings["thick"] == []
    (doubled,), (padded,), (keys,), (thin,) = (warnings[name] for name in ("doubled", "padded", "keys", "thin"))
    assert doubled.startswith("6 images set aside as copies of others with the same content (")
    assert padded == "3072 zero bytes after the pixel data of 6 files left out"
    assert keys.startswith("DICOM SEG: PatientID, StudyID, AccessionNumber of the images break the standard")
    assert "volumes in ml are of 1 mm" in thin


def test_mask_stays_with_its_patient(entries: tuple[dict[str, Any], Path]) -> None:
    cases, output = entries
    seg = dcmread(output / cases["keys"]["outputs"]["dicomseg"])
    assert (seg.PatientID, seg.AccessionNumber, seg.StudyID) == ("7" * 80, "8" * 20, "9" * 20)
    assert "7777" not in without_digests(json.dumps(cases))


def test_single_slice_is_as_thick_in_every_format(entries: tuple[dict[str, Any], Path]) -> None:
    cases, output = entries
    assert cases["thick"]["measures"]["volume_ml"] == pytest.approx(HALF * 5.0 / 1000)
    outputs = cases["thick"]["outputs"]
    image: Any = nib.load(output / outputs["nifti"])
    assert image.header.get_zooms()[2] == pytest.approx(5.0)
    measures = dcmread(output / outputs["dicomseg"]).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert (float(measures.SliceThickness), float(measures.SpacingBetweenSlices)) == (5.0, 5.0)
    header = (output / outputs["segnrrd"]).read_bytes()[:4000].decode("latin-1")
    (directions,) = [line for line in header.splitlines() if line.startswith("space directions:")]
    columns = [[float(x) for x in text.strip("()").split(",")] for text in directions.split()[2:] if text != "none"]
    assert np.linalg.norm(columns, axis=1).tolist() == pytest.approx([1.0, 1.0, 5.0])
