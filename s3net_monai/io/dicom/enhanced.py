"""Frames of an enhanced multi-frame CT as headers of single slices, for the same checks as one file a slice."""

from __future__ import annotations

from typing import Any

from s3net_monai.io.dicom.slices import integer, name_of
from s3net_monai.utils.errors import CaseError

# PS3.3 section C.7.6.16: macro by macro, where the attributes of a slice lie.
MACROS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex"),
}
OF_ALL_FRAMES = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
)


def slice_headers(header: Any) -> list[Any]:
    """``[header]`` for one file a slice; for an enhanced object one header a frame, with ``frame_index`` from 0.

    A frame's own functional group goes before the shared one.

    Raises:
        CaseError: for a part of a concatenation, several stacks or points in time, and functional groups that do not
            fit the number of frames.
    """
    if not header.get("PerFrameFunctionalGroupsSequence") and not header.get("SharedFunctionalGroupsSequence"):
        return [header]
    name = name_of(header)
    if integer(header, "InConcatenationTotalNumber", 1) > 1 or (
        header.get("ConcatenationUID") and "InConcatenationTotalNumber" not in header
    ):
        raise CaseError(f"concatenation: {name} is one part of a divided object; join the parts first")
    count = integer(header, "NumberOfFrames", 1)
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])
    groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    if len(groups) != count or len(shared) > 1:
        raise CaseError(f"{name}: {count} frames, but functional groups of {len(groups)}; export it again")
    frames = [_frame(header, index, [group, *shared]) for index, group in enumerate(groups)]
    for keyword, what in (("StackID", "stacks"), ("TemporalPositionIndex", "points in time")):
        found = {str(frame.get(keyword)) for frame in frames}
        if len(found) > 1:
            raise CaseError(f"several {what}: {name} holds {len(found)}; export one of them")
    return frames


def _frame(header: Any, index: int, groups: list[Any]) -> Any:
    from pydicom import Dataset

    frame = Dataset()
    for keyword in OF_ALL_FRAMES:
        if keyword in header:
            frame[keyword] = header[keyword]
    for macro, keywords in MACROS.items():
        items = next((group[macro].value for group in groups if macro in group), None)
        for keyword in keywords:
            if items and keyword in items[0]:
                frame[keyword] = items[0][keyword]
    if "FrameType" in frame:
        frame.ImageType = frame.FrameType
    frame.filename = header.filename
    frame.frame_index = index
    frame.of_several = len(header.get("PerFrameFunctionalGroupsSequence")) > 1
    return frame
