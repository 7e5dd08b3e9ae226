"""Cine series of MR, as single slices or as one enhanced object, with phases and positions set by a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.helpers.ct_series import ct_slice

MR_IMAGE, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
# Short axis: oblique to all axes of the patient.
ROW, COLUMN = np.array([0.6, 0.64, -0.48]), np.array([0.0, 0.6, 0.8])
ORIENTATION = [f"{value:.10f}" for value in (*ROW, *COLUMN)]
NORMAL = np.cross(ROW, COLUMN)
ORIGIN, STEP, PIXEL_SPACING = np.array([-20.0, 15.0, 30.0]), 8.0, (1.5, 1.25)


def position(slice_: int) -> np.ndarray:
    """Position (LPS) of a slice in mm."""
    return ORIGIN + slice_ * STEP * NORMAL


def affine() -> np.ndarray:
    """The RAS+ affine (4, 4) of every phase."""
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = ROW * PIXEL_SPACING[1], COLUMN * PIXEL_SPACING[0], NORMAL * STEP
    matrix[:3, 3] = ORIGIN
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def cine_slices(cine: np.ndarray, *, by_slice: bool = True, **tags: Any) -> list[Dataset]:
    """Return one data set per slice and phase.

    Args:
        cine: stored values (phases, slices, rows, columns).
        by_slice: whether InstanceNumber counts all phases of a slice before the next slice; else all slices of a phase.
        tags: attributes of every image; None removes one.
    """
    phases, slices = cine.shape[:2]
    uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    datasets = []
    for phase, slice_ in np.ndindex(phases, slices):
        number = slice_ * phases + phase if by_slice else phase * slices + slice_
        attributes = {
            "SOPClassUID": MR_IMAGE,
            "Modality": "MR",
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "RETRO"],
            "RescaleSlope": None,
            "RescaleIntercept": None,
            "ImageOrientationPatient": ORIENTATION,
            "PixelSpacing": list(PIXEL_SPACING),
            "SliceThickness": 6,
            # The beats in which the slices were acquired differ in length.
            "TriggerTime": f"{phase * (40 + slice_):.1f}",
            "EchoTime": 1.5,
            "FlipAngle": 50,
            "InstanceNumber": number + 1,
            **uids,
            **tags,
        }
        dataset = ct_slice(cine[phase, slice_], position(slice_))
        for keyword, value in attributes.items():
            if value is not None:
                setattr(dataset, keyword, value)
            elif keyword in dataset:
                delattr(dataset, keyword)
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        datasets.append(dataset)
    return datasets


def save(datasets: Iterable[Dataset], folder: Path) -> Path:
    """Write files whose names follow no order."""
    folder.mkdir(parents=True)
    for index, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{(index * 7919) % 10007:05d}.dcm", enforce_file_format=True)
    return folder


def enhanced_cine(cine: np.ndarray) -> Dataset:
    """Return one enhanced MR object whose frames count all phases of a slice before the next slice.

    Args:
        cine: stored values (phases, slices, rows, columns).
    """
    phases, slices = cine.shape[:2]
    dataset = cine_slices(cine[:1, :1], TriggerTime=None, ImageOrientationPatient=None, PixelSpacing=None)[0]
    del dataset.ImagePositionPatient
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ENHANCED_MR
    dataset.NumberOfFrames = phases * slices
    dataset.PixelData = cine.transpose(1, 0, 2, 3).astype("<u2").tobytes()
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[_item(PixelSpacing=list(PIXEL_SPACING), SliceThickness=6)],
            PlaneOrientationSequence=[_item(ImageOrientationPatient=ORIENTATION)],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[f"{value:.6f}" for value in position(slice_)])],
            FrameContentSequence=[_item(StackID="1", TemporalPositionIndex=phase + 1)],
            CardiacSynchronizationSequence=[_item(NominalCardiacTriggerDelayTime=40.0 * phase)],
        )
        for slice_, phase in np.ndindex(slices, phases)
    ]
    return dataset


def _item(**elements: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
