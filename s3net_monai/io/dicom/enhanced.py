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
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "FrameContentSequence": (
        *("StackID", "TemporalPositionIndex"),
        *("FrameAcquisitionNumber", "FrameAcquisitionDateTime", "FrameReferenceDateTime"),
        *("CardiacCyclePosition", "RespiratoryCyclePosition"),
    ),
    "TemporalPositionSequence": ("TemporalPositionTimeOffset",),
    "CardiacSynchronizationSequence": (
        *("NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime", "NominalPercentageOfCardiacPhase"),
    ),
    "RespiratorySynchronizationSequence": ("NominalPercentageOfRespiratoryPhase",),
    "IrradiationEventIdentificationSequence": ("IrradiationEventUID",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRModifierSequence": ("InversionTimes",),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "MRTimingAndRelatedParametersSequence": ("FlipAngle",),
}
OBJECT_ATTRIBUTES = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    *("AcquisitionNumber", "AcquisitionUID", "AcquisitionDateTime"),
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
        CaseError: if the object holds several stacks, or has functional groups that do not match its number of frames.
    """
    if not header.get("PerFrameFunctionalGroupsSequence") and not header.get("SharedFunctionalGroupsSequence"):
        return [header]
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


def check_concatenations(headers: Sequence[SliceHeader]) -> list[str]:
    """Refuse a concatenation, an object that was divided into several files, of which parts are missing.

    PS3.3 section C.7.6.16.2.2.4. The number of parts need not be stated; several parts are then taken for all of them.

    Args:
        headers: of files.

    Returns:
        A note for every concatenation that may lack its end.

    Raises:
        CaseError: naming the first part, and how many were found.
    """
    concatenations: dict[str, list[SliceHeader]] = {}
    for header in headers:
        if header.get("ConcatenationUID") or read_integer(header, "InConcatenationTotalNumber", 1) > 1:
            concatenations.setdefault(str(header.get("ConcatenationUID")), []).append(header)
    notes = []
    for parts in concatenations.values():
        name = parts[0].name
        stated = max(read_integer(part, "InConcatenationTotalNumber", 0) for part in parts)
        numbers = sorted(read_integer(part, "InConcatenationNumber", 0) for part in parts)
        if (not stated and len(parts) == 1) or numbers != list(range(1, max(stated, len(parts)) + 1)):
            total = str(stated) if stated else "an unknown number of"
            raise CaseError(
                f"concatenation: {name} is one part of a divided object, and {len(parts)} of {total} parts were found; "
                "give all of them"
            )
        if not stated:
            notes.append(
                f"{len(parts)} parts of a divided object joined, which does not say how many it has: {name}, …"
            )
    return notes


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
