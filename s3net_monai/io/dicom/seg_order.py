"""The order of segments and frames within a label map, which the standard leaves open and readers rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset


def order_label_map(segmentation: Dataset) -> None:
    """Order the items of a compressed label map of highdicom, which keeps its meaning.

    Args:
        segmentation: changed in place.
    """
    _describe_background_last(segmentation)
    _stack_frames_along_normal(segmentation)


def _describe_background_last(segmentation: Dataset) -> None:
    """Let the n-th item of SegmentSequence describe segment n, as in a BINARY segmentation.

    highdicom describes segment 0 first. The standard orders the items of BINARY alone (PS3.3 section C.8.20.2.4), but
    OHIF 3.13 and 3D Slicer before May 2026 take colors and names from the n-th item in any case.
    """
    background = [item for item in segmentation.SegmentSequence if item.SegmentNumber == 0]
    others = [item for item in segmentation.SegmentSequence if item.SegmentNumber != 0]
    segmentation.SegmentSequence = [*others, *background]


def _stack_frames_along_normal(segmentation: Dataset) -> None:
    """Let the frames begin at the end of the stack from which the cross product of rows and columns points inward.

    highdicom begins at the other end. dcm2niix 1.0.20260724 exchanges both ends of such a stack if it is compressed.
    """
    from pydicom.encaps import encapsulate, generate_frames

    groups = list(segmentation.PerFrameFunctionalGroupsSequence)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    if len(groups) == 1 or "PlaneOrientationSequence" not in shared:
        return
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    positions = [group.PlanePositionSequence[0].ImagePositionPatient for group in groups]
    order = np.argsort(np.array(positions, dtype=float) @ np.cross(row, column), kind="stable")
    frames = list(generate_frames(segmentation.PixelData, number_of_frames=len(groups)))
    segmentation.PixelData = encapsulate([frames[index] for index in order])
    segmentation["PixelData"].is_undefined_length = True
    segmentation.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
