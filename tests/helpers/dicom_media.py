"""DICOM media for tests: series, VL images, and discs with a DICOMDIR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet

from tests.helpers.ct_series import SeriesMaker, ct_slice

DERMOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.7"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def series(count: int = 3, study: str = "1.2.826.0.1.1", **tags: Any) -> SeriesMaker:
    """Create a CT series of ``count`` slices (4, 5) in one study; ``tags`` go into every slice."""
    maker = SeriesMaker(np.zeros((count, 4, 5), dtype=np.uint16))
    for dataset in maker.slices:
        dataset.StudyInstanceUID = study
        dataset.StudyID = "1"
        for keyword, value in tags.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
    return maker


def make_vl_image(**tags: Any) -> Dataset:
    """Create a dermoscopy object of 4x5 pixels."""
    dataset = ct_slice(np.zeros((4, 5), dtype=np.uint16), np.zeros(3), **{"SOPClassUID": DERMOSCOPY, **tags})
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "XC", "RGB", 3
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PlanarConfiguration = 8, 8, 7, 0
    dataset.PixelData = bytes(4 * 5 * 3)
    dataset.StudyInstanceUID = tags.get("StudyInstanceUID", "1.2.826.0.1.9")
    dataset.SeriesInstanceUID = tags.get("SeriesInstanceUID", "1.2.826.0.1.9.1")
    return dataset


def write_media(folder: Path, *makers: SeriesMaker) -> Path:
    """Write a folder with a DICOMDIR that names all slices, and return the DICOMDIR."""
    files = FileSet()
    for maker in makers:
        for dataset in maker.slices:
            dataset.PatientID = dataset.PatientID or "P1"
            files.add(dataset)
    files.write(folder)
    return folder / "DICOMDIR"
