"""Enhanced multi-frame CT objects with frames set by a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.helpers.ct_series import AXIAL, ct_slice

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def _item(**elements: Any) -> list[Dataset]:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return [dataset]


def enhanced_ct(
    stored: np.ndarray,
    *,
    orientation: Sequence[float] = AXIAL,
    pixel_spacing: Sequence[float] = (1.0, 1.0),
    step: float = 2.0,
    origin: Sequence[float] = (-10.0, -20.0, 30.0),
    order: Sequence[int] | None = None,
    rescale: Sequence[tuple[float, float]] | None = None,
) -> Dataset:
    """Create one object from slices (slices, rows, columns) along the normal.

    Args:
        stored: values of the slices.
        orientation: row and column cosines.
        pixel_spacing: (row, column) in mm.
        step: between slices in mm.
        origin: of the first slice, in mm (LPS).
        order: of the slices among the frames.
        rescale: (slope, intercept) of every slice, in the per-frame groups; without it (1, -1024) in the shared group.
    """
    count = len(stored)
    order = list(range(count)) if order is None else list(order)
    row, column = np.array(orientation, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    positions = [np.array(origin) + slice_ * step * normal for slice_ in order]

    dataset = ct_slice(stored[0], positions[0], ImagePositionPatient=None, RescaleSlope=None, RescaleIntercept=None)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ENHANCED_CT
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, keyword, generate_uid())
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.NumberOfFrames = count
    dataset.PixelData = stored[order].tobytes()

    shared = Dataset()
    shared.PixelMeasuresSequence = _item(PixelSpacing=list(pixel_spacing), SliceThickness=abs(step))
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=[f"{value:.10f}" for value in orientation])
    if rescale is None:
        shared.PixelValueTransformationSequence = _item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")
    dataset.SharedFunctionalGroupsSequence = [shared]

    frames = []
    for number, (slice_, position) in enumerate(zip(order, positions, strict=True), start=1):
        frame = Dataset()
        frame.PlanePositionSequence = _item(ImagePositionPatient=[f"{value:.6f}"[:16] for value in position])
        frame.FrameContentSequence = _item(StackID="1", InStackPositionNumber=slice_ + 1, DimensionIndexValues=[number])
        frame.CTImageFrameTypeSequence = _item(FrameType=list(dataset.ImageType))
        if rescale is not None:
            slope, intercept = rescale[slice_]
            frame.PixelValueTransformationSequence = _item(
                RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU"
            )
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    return dataset
