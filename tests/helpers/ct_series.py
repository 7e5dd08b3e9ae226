"""Small CT series whose voxels and geometry a test sets by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def ct_slice(stored: np.ndarray, position: np.ndarray, **tags: Any) -> Dataset:
    """One CT slice from stored values (rows, columns) at ``position`` in mm (LPS); ``tags`` override what is set."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"):
        setattr(dataset, keyword, "")
    dataset.ReferringPhysicianName = dataset.PositionReferenceIndicator = ""
    dataset.StudyDate, dataset.StudyTime = "20200101", "120000"
    dataset.Modality, dataset.Manufacturer = "CT", "test"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.InstanceNumber = 3, 1
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.ImagePositionPatient = [f"{value:.6f}"[:16] for value in position]
    dataset.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


class SeriesMaker:
    """Slices of one CT series; tests change ``slices`` before ``save``."""

    def __init__(
        self,
        stored: np.ndarray,
        *,
        orientation: tuple[float, ...] = AXIAL,
        pixel_spacing: tuple[float, float] = (1.0, 1.0),
        step: float = 2.0,
        origin: tuple[float, float, float] = (-10.0, -20.0, 30.0),
    ) -> None:
        """``stored`` (slices, rows, columns); ``pixel_spacing`` (row, column) as DICOM has it; ``step`` in mm."""
        row, column = np.array(orientation).reshape(2, 3)
        normal = np.cross(row, column)
        uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
        self.slices = [
            ct_slice(
                plane,
                np.array(origin) + index * step * normal,
                ImageOrientationPatient=[f"{value:.10f}" for value in orientation],
                PixelSpacing=list(pixel_spacing),
                SliceThickness=abs(step),
                **uids,
            )
            for index, plane in enumerate(stored)
        ]

    def save(self, folder: Path, names: list[str] | None = None) -> Path:
        """Write the slices, by default under names that do not follow their order."""
        folder.mkdir(parents=True, exist_ok=True)
        for index, dataset in enumerate(self.slices):
            name = names[index] if names else f"{(index * 7) % 10007:05d}.dcm"
            dataset.save_as(folder / name, enforce_file_format=True)
        return folder
