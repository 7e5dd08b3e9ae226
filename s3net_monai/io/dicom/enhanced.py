"""Frames of an enhanced multi-frame CT or MR as headers of single slices, so that one set of checks serves both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3net_monai.io.dicom.header import SliceHeader, read_integer
from s3net_monai.utils.errors import CaseError

if TYPE_CHECKING:
    from pydicom import Dataset

# PS3.3 section C.7.6.16: the functional group macros, and the attributes of a slice that each of them holds.
MACROS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex"),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRModifierSequence": ("InversionTimes",),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "MRTimingAndRelatedParametersSequence": ("FlipAngle",),
}
OBJECT_ATTRIBUTES = (
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


def split_frames(header: SliceHeader) -> list[SliceHeader]:
    """Return one header per frame of an enhanced object, or ``[header]`` where the file is a single slice.

    A frame's own functional group takes precedence over the shared one.

    Raises:
        CaseError: if the object is a part of a concatenation, holds several stacks, or has functional groups that do
            not match its number of frames.
    """
    if not header.get("PerFrameFunctionalGroupsSequence") and not header.get("SharedFunctionalGroupsSequence"):
        return [header]
    if read_integer(header, "InConcatenationTotalNumber", 1) > 1 or (
        header.get("ConcatenationUID") and "InConcatenationTotalNumber" not in header
    ):
        raise CaseError(f"concatenation: {header.name} is one part of a divided object; join the parts first")
    count = read_integer(header, "NumberOfFrames", 1)
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])
    groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    if len(groups) != count or len(shared) > 1:
        raise CaseError(f"{header.name}: {count} frames, but functional groups of {len(groups)}; export it again")
    frames = [
        SliceHeader(_flatten(header, [group, *shared]), header.path, frame_index=index, num_frames=count)
        for index, group in enumerate(groups)
    ]
    check_same(frames, "StackID", noun="stacks")
    return frames


def check_same(frames: Sequence[SliceHeader], keyword: str, *, noun: str) -> None:
    """Refuse frames that differ in an attribute.

    Raises:
        CaseError: with the number of values.
    """
    values = {str(frame.get(keyword)) for frame in frames}
    if len(values) > 1:
        raise CaseError(f"several {noun}: {frames[0].path.name} holds {len(values)}; export one of them")


def _flatten(header: SliceHeader, groups: list[Dataset]) -> Dataset:
    """Return the attributes of one frame without nesting; of several ``groups`` the first that has a macro counts."""
    from pydicom import Dataset

    frame = Dataset()
    for keyword in OBJECT_ATTRIBUTES:
        if keyword in header:
            frame[keyword] = header.dataset[keyword]
    for macro, keywords in MACROS.items():
        items = next((group[macro].value for group in groups if macro in group), None)
        for keyword in keywords:
            if items and keyword in items[0]:
                frame[keyword] = items[0][keyword]
    if "FrameType" in frame:
        frame.ImageType = frame.FrameType
    return frame
