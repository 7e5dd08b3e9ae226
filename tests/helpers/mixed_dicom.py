"""Small CT series in every form that DICOM has for them, and the masks that a run must produce."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from s3net_monai.utils.geometry import LPS_TO_RAS
from tests.helpers.ct_series import SeriesMaker, ct_slice
from tests.helpers.dicom_media import write_media
from tests.helpers.dicom_tools import SERIES
from tests.helpers.enhanced_ct import enhanced_ct
from tests.helpers.expected_masks import THRESHOLD, Inputs, Truth

PATIENT = {"PatientName": "ZEBRA^QUAGGA", "PatientID": "PIDMARK77", "AccessionNumber": "ACCMARK55", "StudyID": "1"}
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
SLICE = (36, 34)  # rows, columns; JPEG 2000 needs 32 of each


def make_series(hu: np.ndarray, syntax: UID = ExplicitVRLittleEndian, tags: Any = None, **geometry: Any) -> SeriesMaker:
    """Create slices of a patient from ``hu`` (slices, rows, columns); ``geometry`` as in ``SeriesMaker``."""
    maker = SeriesMaker((hu.astype(int) + 1024).astype(np.uint16), **geometry)
    for dataset in maker.slices:
        for keyword, value in {**PATIENT, **(tags or {})}.items():
            setattr(dataset, keyword, value)
        if syntax in COMPRESSED:
            dataset.compress(syntax, generate_instance_uid=False)
        elif syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
    return maker


def build_affine(
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    pixel_spacing: tuple[float, float] = (1.0, 1.0),
    step: float = 2.0,
    origin: tuple[float, float, float] = (-10.0, -20.0, 30.0),
) -> np.ndarray:
    """Return the RAS+ affine of (column, row, slice) indices, with the defaults of ``SeriesMaker``."""
    row, column = np.array(orientation, dtype=float).reshape(2, 3)
    axes = [row * pixel_spacing[1], column * pixel_spacing[0], np.cross(row, column) * step, np.array(origin)]
    return LPS_TO_RAS @ np.vstack([np.array(axes).T, [0, 0, 0, 1]])


def expected_slices(hu: np.ndarray, **geometry: Any) -> Truth:
    """Return the mask expected of slices (slices, rows, columns)."""
    return Truth(hu.T < THRESHOLD, build_affine(**geometry), dicom=True)


def add_series(inputs: Inputs) -> None:
    for geometry, syntax in product(SERIES.values(), (*NATIVE, *COMPRESSED)):
        hu = inputs.hounsfield(4, *SLICE)
        make_series(hu, syntax, **geometry).save(inputs.path("series/a", expected_slices(hu, **geometry)))


def add_odd_series(inputs: Inputs) -> None:
    def hu(count: int = 4) -> np.ndarray:
        return inputs.hounsfield(count, *SLICE)

    for _ in range(3):  # names as scanners give them
        values = hu()
        make_series(values).save(inputs.path("odd/plain names", expected_slices(values)), ["IM1", "IM2", "IM3", "IM4"])
    for name in ("axial", "reversed", "non-square pixels", "tilted by 15 degrees", "oblique coronal"):
        values = hu()
        folder = inputs.path("odd/enhanced", expected_slices(values, **SERIES[name]))
        folder.mkdir()
        dataset = enhanced_ct((values.astype(int) + 1024).astype(np.uint16), order=[2, 0, 3, 1], **SERIES[name])
        for keyword, value in PATIENT.items():
            setattr(dataset, keyword, value)
        dataset.save_as(folder / "multi-frame.dcm", enforce_file_format=True)
    for _ in range(2):
        values = hu(6)
        maker, folder = make_series(values), inputs.path("odd/in two folders", expected_slices(values))
        for name, half in (("a", maker.slices[:3]), ("b", maker.slices[3:])):
            maker.slices = half
            maker.save(folder / name)
    for _ in range(2):
        values = hu(1)
        make_series(values).save(inputs.path("odd/one slice", expected_slices(values)))
    for change in (_padded, _signed, _rescaled_by_slice):
        values = hu()
        maker = change(values, make_series(values))
        maker.save(inputs.path("odd/stored otherwise", expected_slices(values)))
    for _ in range(2):
        values = hu()
        maker, first = make_series(values), make_series(values[:1]).slices[0]
        first.SeriesInstanceUID = maker.slices[0].SeriesInstanceUID
        first.StudyInstanceUID = maker.slices[0].StudyInstanceUID
        first.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        maker.slices.append(first)
        maker.save(inputs.path("odd/scout inside", expected_slices(values)))


def _padded(hu: np.ndarray, maker: SeriesMaker) -> SeriesMaker:
    """Add a bright padding value, which reads as air."""
    for plane, dataset in zip(hu, maker.slices, strict=True):
        plane[:3] = -1024
        stored = (plane.astype(int) + 1024).astype(np.uint16)
        stored[:3] = 4000
        dataset.PixelData, dataset.PixelPaddingValue = stored.tobytes(), 4000
    return maker


def _signed(hu: np.ndarray, maker: SeriesMaker) -> SeriesMaker:
    for plane, dataset in zip(hu, maker.slices, strict=True):
        dataset.PixelRepresentation, dataset.RescaleIntercept, dataset.PixelData = 1, 0, plane.astype("<i2").tobytes()
    return maker


def _rescaled_by_slice(hu: np.ndarray, maker: SeriesMaker) -> SeriesMaker:
    for index, (plane, dataset) in enumerate(zip(hu, maker.slices, strict=True), start=1):
        dataset.RescaleSlope, dataset.RescaleIntercept = 1.0 / index, -1000 * index
        dataset.PixelData = ((plane.astype(int) + 1000 * index) * index).astype(np.uint16).tobytes()
    return maker


def add_studies(inputs: Inputs) -> None:
    """Write studies of five series of which one is selected, and three studies in one folder."""
    for _ in range(4):
        hu = inputs.hounsfield(5, *SLICE)
        study = {"StudyInstanceUID": generate_uid(), "SeriesDescription": "Thorax Quagga"}
        folder = inputs.path("studies/main", expected_slices(hu))
        other_series = folder.with_name(f"others of {folder.name[-4:]}")
        make_series(hu, tags=study).save(folder)
        make_series(hu[:3], tags={**study, "SeriesNumber": 4}).save(other_series / "short")
        sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
        make_series(np.tile(hu, (3, 1, 1)), tags={**study, "SeriesNumber": 5}, orientation=sagittal).save(
            other_series / "s"
        )
        for number, image_type in ((1, ["ORIGINAL", "PRIMARY", "LOCALIZER"]), (6, ["DERIVED", "SECONDARY", "MPR"])):
            tags = {**study, "SeriesNumber": number, "ImageType": image_type}
            make_series(hu, tags=tags).save(other_series / str(number))
        write_structure_set(other_series / "rtstruct.dcm", study["StudyInstanceUID"])
    folder = inputs.tree / "studies" / "flat c999"
    folder.mkdir()
    for number in (1, 2, 3):
        hu = inputs.hounsfield(4, *SLICE)
        inputs.truths[f"c999_series{number}"] = expected_slices(hu)
        names = [f"{index}{number}" for index in range(4)]
        make_series(hu, tags={"SeriesNumber": number}).save(folder, names)


def write_structure_set(path: Path, study: str) -> Path:
    """Write a DICOM object without pixels."""
    dataset = ct_slice(np.zeros((1, 1), np.uint16), np.zeros(3), Rows=None, Columns=None, PixelData=None, **PATIENT)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = study, generate_uid(), "RTSTRUCT"
    dataset.save_as(path, enforce_file_format=True)
    return path


def add_media(inputs: Inputs) -> None:
    """Write media of one patient with a scout; one of them is an input by its DICOMDIR."""
    for index in range(4):
        hu = inputs.hounsfield(4, *SLICE)
        study = {"StudyInstanceUID": generate_uid()}
        scout = {**study, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesNumber": 1}
        folder = inputs.path("cd", expected_slices(hu), below="tree/media" if index else "separate")
        path = write_media(folder, make_series(hu, tags=study), make_series(hu[:1], tags=scout))
        if not index:
            inputs.separate.append(path)
