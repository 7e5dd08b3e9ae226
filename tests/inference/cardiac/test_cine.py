"""Cine series of MR from DICOM to one mask per phase."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from pydicom.uid import generate_uid

import s3net_monai
from s3net_monai.evaluation.masks import on_one_grid
from s3net_monai.inference.dicomweb.search import SeriesOnServer, choose_series
from s3net_monai.io import CaseError
from s3net_monai.io.label_maps.read_label import read_label
from tests.helpers import cine_mr
from tests.helpers.heart import heart


def beating_heart() -> tuple[np.ndarray, np.ndarray]:
    """Return stored values and masks (phases, slices, rows, columns) of a heart that moves along its rows."""
    image, mask = heart()
    stored = [np.roll(image, shift, axis=1).transpose(2, 1, 0) for shift in (0, 1, 3)]
    masks = [np.roll(mask, shift, axis=1).transpose(2, 1, 0) for shift in (0, 1, 3)]
    return np.array(stored, np.uint16), np.array(masks)


@pytest.mark.parametrize("is_enhanced", [False, True])
def test_every_phase_of_a_cine_series_is_a_case(
    segment: Callable[..., dict[str, Any]], tmp_path: Path, is_enhanced: bool
) -> None:
    stored, masks = beating_heart()
    datasets = [cine_mr.enhanced_cine(stored)] if is_enhanced else cine_mr.cine_slices(stored)
    folder = cine_mr.save(datasets, tmp_path / "sax")
    cases = segment(folder, formats="nifti,dicomseg,dicomseg-labelmap,segnrrd")
    assert list(cases) == ["sax_phase1", "sax_phase2", "sax_phase3"]
    times = [0, 40, 80] if is_enhanced else [0, 42, 84]
    for number, (case_id, case) in enumerate(cases.items(), start=1):
        assert case["status"] == "ok", case["reason"]
        assert case["warnings"] == case["notes"] == []
        assert case["selection"] == f"phase {number} of 3, {times[number - 1]} ms after the R wave"
        expected = masks[number - 1].transpose(2, 1, 0)
        nifti = nib.load(tmp_path / "out" / f"{case_id}_seg.nii.gz")
        np.testing.assert_array_equal(np.asarray(nifti.dataobj), expected)
        np.testing.assert_allclose(nifti.affine, cine_mr.affine(), atol=1e-4)
        stored_mask = read_label(tmp_path / "out" / f"{case_id}_seg.nii.gz")
        for suffix in (".dcm", ".labelmap.dcm", ".seg.nrrd"):
            pair = on_one_grid(read_label(tmp_path / "out" / f"{case_id}_seg{suffix}"), stored_mask)
            np.testing.assert_array_equal(pair.prediction, pair.truth, err_msg=suffix)
        frames = hd.seg.segread(tmp_path / "out" / f"{case_id}_seg.dcm")
        sources = {
            (item.ReferencedSOPInstanceUID, int(item.get("ReferencedFrameNumber", 0)))
            for frame in frames.PerFrameFunctionalGroupsSequence
            for item in frame.DerivationImageSequence[0].SourceImageSequence
        }
        if is_enhanced:  # frames count all phases of a slice first
            uid = datasets[0].SOPInstanceUID
            assert sources == {(uid, slice_ * 3 + number) for slice_ in range(5)}
        else:
            of_phase = datasets[(number - 1) * 5 : number * 5]
            assert sources == {(dataset.SOPInstanceUID, 0) for dataset in of_phase}


def test_python_names_a_phase(bundle: Path, tmp_path: Path) -> None:
    stored, masks = beating_heart()
    loaded = s3net_monai.load_bundle("cardiac", bundle=bundle, device="cpu")
    folder = cine_mr.save(cine_mr.cine_slices(stored), tmp_path / "sax")
    result = s3net_monai.segment(f"{folder}#phase=3", bundle=loaded)
    np.testing.assert_array_equal(result.mask, masks[2].transpose(2, 1, 0))
    with pytest.raises(CaseError, match=r"sax: 3 phases found, one expected; give '.*sax#phase=1', or use"):
        s3net_monai.segment(folder, bundle=loaded)
    with pytest.raises(CaseError, match=r"sax#phase=4: 0 phases found, one expected; give '.*sax#phase=1'"):
        s3net_monai.segment(f"{folder}#phase=4", bundle=loaded)


def test_the_cine_stack_of_a_study_is_selected(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    stored, _ = beating_heart()
    study = generate_uid()
    series = {
        "localizer": cine_mr.cine_slices(stored[:1], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "four_chamber": cine_mr.cine_slices(np.repeat(stored, 5, axis=0)[:, :1], SeriesDescription="4ch"),
        "late": cine_mr.cine_slices(np.concatenate([stored[:1]] * 2, axis=1), SeriesDescription="LGE"),
        "sax": cine_mr.cine_slices(stored, SeriesDescription="cine sax"),
    }
    for number, (name, datasets) in enumerate(series.items(), start=1):
        for dataset in datasets:
            dataset.StudyInstanceUID, dataset.SeriesNumber = study, number
        cine_mr.save(datasets, tmp_path / "study" / name)
    cases = segment(tmp_path / "study")
    assert list(cases) == ["sax_phase1", "sax_phase2", "sax_phase3"]
    assert cases["sax_phase2"]["selection"] == (
        "series 4 (MR, oblique, 6 mm) of 5 slices, selected from 4 series of its study: satisfies 'primary "
        "cine stack of MR'; phase 2 of 3, 42 ms after the R wave"
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {entry["reason"] for entry in report["excluded"]} == {
        "ImageType is ORIGINAL, PRIMARY, LOCALIZER, not in LOCALIZER, SCOUT expected",
        "NumberOfSlices is 1, range 2 to any expected",
        "NumberOfPhases is 1, range 2 to any expected",
    }


def test_a_cine_series_with_a_missing_image_is_refused_once(
    segment: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    stored, _ = beating_heart()
    folder = cine_mr.save(cine_mr.cine_slices(stored)[1:], tmp_path / "sax")
    cases = segment(folder, code=1)
    assert cases["sax"]["reason"] == (
        "sax: uneven phases: 2 images at one slice position and 3 at another, as many expected; export the series again"
    )


def test_a_server_is_asked_for_mr_series() -> None:
    series = [SeriesOnServer(uid=f"1.{i}", number=i, modality=name, count=30) for i, name in enumerate(("MR", "CT"))]
    fetched, excluded = choose_series(series, "cardiac", "http://127.0.0.1")
    assert [one.modality for one in fetched] == ["MR"]
    assert len(excluded) == 1


@pytest.mark.parametrize("by", ["slice", "phase"])
def test_a_scan_that_is_stored_as_several_series_is_segmented_whole(
    segment: Callable[..., dict[str, Any]], tmp_path: Path, by: str
) -> None:
    stored, masks = beating_heart()
    study = generate_uid()
    parts = range(stored.shape[1]) if by == "slice" else range(stored.shape[0])
    uids = [generate_uid() for _ in parts]
    datasets = cine_mr.cine_slices(stored, StudyInstanceUID=study)
    for index, dataset in enumerate(datasets):
        part = index % stored.shape[1] if by == "slice" else index // stored.shape[1]
        dataset.SeriesInstanceUID, dataset.SeriesNumber = uids[part], part + 1
    cases = segment(cine_mr.save(datasets, tmp_path / "sax"))
    assert len(cases) == (15 if by == "slice" else 3)
    if by == "phase":
        for number in (1, 2, 3):
            mask = nib.load(tmp_path / "out" / f"sax_series{number}_seg.nii.gz").dataobj
            np.testing.assert_array_equal(np.asarray(mask), masks[number - 1].transpose(2, 1, 0))


def test_a_copy_in_a_cine_series_counts_once(segment: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    folder = cine_mr.save(cine_mr.cine_slices(beating_heart()[0]), tmp_path / "sax")
    shutil.copy(folder / "00000.dcm", folder / "copy.dcm")
    cases = segment(folder)
    assert list(cases) == ["sax_phase1", "sax_phase2", "sax_phase3"]
    assert {case["status"] for case in cases.values()} == {"ok"}
