"""DICOM SEG in a real OHIF beside a real Orthanc: which pixels of the screen it colors.

Every CT slice is gray, with a shape that the mask covers and that moves by a pixel from slice to slice. Where the gray
image lies on the screen is measured there, so no function of the viewer says where a segment belongs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from s3net_monai.io import Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.labels import Label
from s3net_monai.tasks import TASKS
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.ohif import Ohif, running_ohif
from tests.helpers.orthanc import CURRENT, Orthanc, running_orthanc

pytestmark = pytest.mark.slow

AIR, TISSUE, DARK = -400, 100, -1000  # HU
MIN_OVERLAP = 0.95  # intersection over union; a shift by one pixel gives less than 0.9
SHAPES = {1: (slice(6, 30), slice(6, 14)), 2: (slice(24, 30), slice(14, 34)), 3: (slice(6, 14), slice(26, 36))}


@dataclass
class Study:
    """A study of a CT series and its mask.

    Attributes:
        uid: StudyInstanceUID.
        labels: (slices, rows, columns) in the order of the viewer, which shows the uppermost slice first.
    """

    uid: str
    labels: np.ndarray


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    release = "current" if CURRENT.exists() else "system"
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), release=release) as server:
        yield server


@pytest.fixture(scope="module")
def viewer(orthanc: Orthanc) -> Iterator[Ohif]:
    with running_ohif(orthanc) as viewer:
        yield viewer


def store(
    orthanc: Orthanc,
    folder: Path,
    format_name: str,
    *,
    size: tuple[int, int],
    foreground: int,
    labels: tuple[Label, ...],
) -> Study:
    """Store slices of ``size`` (rows, columns), of which all but the first and the last two are ``foreground``."""
    values = np.zeros((foreground + 3, *size), np.uint8)
    for index in range(1, foreground + 1):
        for label in labels:
            rows, columns = SHAPES[label.value]
            values[index, rows, columns.start + index : columns.stop + index] = label.value
    hounsfield = np.where(values > 0, TISSUE, AIR)
    hounsfield[:, -6:-2, -6:-2], hounsfield[:, -6:-2, 2:4] = DARK, TISSUE  # one window for all slices
    maker = SeriesMaker((hounsfield + 1024).astype(np.int16), pixel_spacing=(2.0, 2.0), step=4.0)
    for number, dataset in enumerate(maker.slices, start=1):
        dataset.InstanceNumber, dataset.PatientID = number, "phantom"
    series = maker.save(folder / "ct")
    mask = Mask(
        array=values.T,
        affine=load_series([series]).affine,
        source=(series,),
        labels=labels,
        model_name="toy",
        model_version="1",
    )
    orthanc.upload([series, write_mask(mask, folder, case_id="case", format_name=format_name)])
    return Study(maker.slices[0].StudyInstanceUID, values[::-1])


def on_screen(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The label (rows, columns) of every pixel of ``picture`` that lies in the image, and -1 beside it."""
    gray = (picture.min(axis=2) > 60) & (np.ptp(picture, axis=2) < 15)  # the frame of the viewport is blue
    left, right = np.flatnonzero(gray.mean(axis=0) > 0.3)[[0, -1]]
    top, bottom = np.flatnonzero(gray.mean(axis=1) > 0.3)[[0, -1]]
    rows = np.arange(bottom - top + 1) * labels.shape[0] // (bottom - top + 1)
    columns = np.arange(right - left + 1) * labels.shape[1] // (right - left + 1)
    placed = np.full(picture.shape[:2], -1)
    placed[top : bottom + 1, left : right + 1] = labels[np.ix_(rows, columns)]
    return placed


def overlap(picture: np.ndarray, labels: np.ndarray) -> float:
    """Intersection over union of the colored pixels within the image and those where ``labels`` lie."""
    placed = on_screen(picture, labels)
    colored = (np.ptp(picture, axis=2) > 15) & (placed >= 0)
    return float((colored & (placed > 0)).sum() / (colored | (placed > 0)).sum())


def assert_colors(picture: np.ndarray, placed: np.ndarray, labels: tuple[Label, ...]) -> None:
    """Every label has its own hue and not that of another one."""
    hues = {label.value: _hue(np.array(label.rgb, float)) for label in labels}
    for value in hues:
        color = np.median(picture[placed == value], axis=0)
        assert np.ptp(color) > 15, "not gray"
        shown = _hue(color)
        assert max(hues, key=lambda other: float(shown @ hues[other])) == value


def _hue(rgb: np.ndarray) -> np.ndarray:
    """Direction of a color away from gray."""
    away = rgb - rgb.mean()
    return np.asarray(away / np.linalg.norm(away))


def test_a_binary_mask_lies_on_its_source(viewer: Ohif, orthanc: Orthanc, tmp_path: Path) -> None:
    labels = TASKS["lung"].labels
    study = store(orthanc, tmp_path, "dicomseg", size=(64, 50), foreground=3, labels=labels)
    viewer.open(study.uid)
    viewer.load_segmentation()
    assert viewer.wait_for_segmentation()
    for position in (3, 5):
        picture = viewer.show(position)
        assert overlap(picture, study.labels[position - 1]) > MIN_OVERLAP
        assert overlap(picture, study.labels[position - 2]) < MIN_OVERLAP, "the test would notice another slice"
        assert_colors(picture, on_screen(picture, study.labels[position - 1]), labels)
    assert viewer.failures == []


def test_a_label_map_lies_on_its_source_whatever_its_size(viewer: Ohif, orthanc: Orthanc, tmp_path: Path) -> None:
    labels = TASKS["cardiac"].labels
    study = store(orthanc, tmp_path, "dicomseg-labelmap", size=(50, 50), foreground=4, labels=labels)
    viewer.open(study.uid)
    viewer.load_segmentation()
    assert viewer.wait_for_segmentation()
    for position in (3, 6):
        picture = viewer.show(position)
        assert overlap(picture, study.labels[position - 1]) > MIN_OVERLAP
        assert_colors(picture, on_screen(picture, study.labels[position - 1]), labels)
    assert viewer.failures == []


def test_binary_frames_that_begin_within_a_byte_are_misplaced(viewer: Ohif, orthanc: Orthanc, tmp_path: Path) -> None:
    """What ``seg_warnings`` warns of: 2500 pixels a frame, so every second frame begins within a byte."""
    study = store(orthanc, tmp_path, "dicomseg", size=(50, 50), foreground=8, labels=TASKS["lung"].labels)
    viewer.open(study.uid)
    viewer.load_segmentation()
    assert viewer.wait_for_segmentation()
    shown = [overlap(viewer.show(position), study.labels[position - 1]) for position in (3, 4)]
    assert min(shown) < 0.5
    assert max(shown) > MIN_OVERLAP


def test_two_such_frames_do_not_open_at_all(viewer: Ohif, orthanc: Orthanc, tmp_path: Path) -> None:
    """The viewer finds 626 bytes where it expects 625, asks for single frames, and Orthanc cuts none out of a byte."""
    study = store(orthanc, tmp_path, "dicomseg", size=(50, 50), foreground=2, labels=TASKS["lung"].labels)
    viewer.open(study.uid)
    viewer.load_segmentation()
    end = time.monotonic() + 60
    while not viewer.failures and time.monotonic() < end:
        time.sleep(0.1)
    assert any("/frames/" in path for path in viewer.failures)
    assert not viewer.wait_for_segmentation(3)
