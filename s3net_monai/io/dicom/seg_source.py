"""Well-formed copies of the headers of a source, for the DICOM SEG that refers to it.

The source may come from an anonymizer or an old scanner that broke its headers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from s3net_monai.io.dicom.files import read_data_set
from s3net_monai.io.dicom.geometry import SeriesGeometry
from s3net_monai.io.dicom.header import SliceHeader, read_directions, read_numbers, read_pixel_spacing, stated_length
from s3net_monai.io.dicom.uids import CT_IMAGE
from s3net_monai.utils.errors import CaseError

if TYPE_CHECKING:
    from pydicom import Dataset

# Patient and study (PS3.3 sections C.7.1.1, C.7.2.1, C.7.2.2), and the scanner as contributing equipment (C.12.1).
# Nothing else is copied: references to objects elsewhere are often broken, and private attributes have no meaning in a
# mask.
COPIED_ATTRIBUTES = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("PatientSize", "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialSubjectID"),
    *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName"),
    *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "InstitutionName"),
    *("AcquisitionDate", "AcquisitionTime", "SeriesNumber", "PositionReferenceIndicator", "PatientOrientation"),
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
# Type 2: they may be empty, but must be present.
TYPE_2_ATTRIBUTES = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator"),
)
REFERENCED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
IDENTIFYING_KEYWORDS = (
    *REFERENCED_UIDS,
    "SpecificCharacterSet",
    "SOPClassUID",
    "FrameOfReferenceUID",
    "Modality",
)
COMPARED_ATTRIBUTES = ("PatientName", "PatientID")  # of all slices; highdicom takes everything else from the first
SERIES_ATTRIBUTES = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName")
SEXES = ("M", "F", "O")
MAX_NAME_COMPONENTS = 5  # of a person's name, in each of its up to three spellings


@dataclass(frozen=True, kw_only=True)
class Plane:
    """The image that shows one plane of a mask.

    Attributes:
        storage: its SOPClassUID.
        instance: its SOPInstanceUID.
        frame: its frame number, from 1, in an enhanced object; None for one file per slice.
    """

    storage: str
    instance: str
    frame: int | None


def copy_series_headers(geometry: SeriesGeometry) -> tuple[list[Dataset], list[Plane]]:
    """Copy what a SEG needs from a CT series into new, well-formed datasets.

    They hold UIDs and positions, the first one also ``COPIED_ATTRIBUTES``. Values that break their value representation
    (PS3.5 section 6.2) are left out, or left empty where the standard requires the attribute. A file without SOP UIDs
    gets those of its file meta information. A series without a usable FrameOfReferenceUID gets one derived from its
    SeriesInstanceUID: a frame of reference that it shares with no other series.

    Returns:
        One dataset per slice, in order; for enhanced objects a single one, whose frames are those of ``geometry`` in
        its order. And the image of every slice.

    Raises:
        CaseError: if a UID that the SEG must refer to is missing or invalid, or the files disagree on a UID.
    """
    from pydicom.uid import generate_uid

    files = list(dict.fromkeys(header.path for header in geometry.headers))
    sources = [_copy_header(file, COPIED_ATTRIBUTES if file == files[0] else COMPARED_ATTRIBUTES) for file in files]
    for keyword in SERIES_ATTRIBUTES:
        if len({str(source.get(keyword, "")) for source in sources}) > 1:
            raise CaseError(f"dicomseg: the slices have several {keyword}s; give one series, or ask for nifti")
    if len({source.SOPInstanceUID for source in sources}) < len(sources):
        raise CaseError(
            "dicomseg: two slices share a SOPInstanceUID, so a reference to one of them is ambiguous; ask for nifti"
        )
    for source in sources:
        if "FrameOfReferenceUID" not in source:
            source.FrameOfReferenceUID = generate_uid(entropy_srcs=[source.SeriesInstanceUID])
        source.Columns, source.Rows = geometry.size
    source_of = dict(zip(files, sources, strict=True))
    planes = [_plane(source_of[header.path], header) for header in geometry.headers]
    if all(plane.frame is None for plane in planes):
        shared = _shared_plane(geometry)
        for source, header in zip(sources, geometry.headers, strict=True):
            _set_slice_position(source, header, shared)
        return sources, planes
    _set_frame_positions(sources[0], geometry)
    return sources[:1], planes


def _plane(source: Dataset, header: SliceHeader) -> Plane:
    frame = None if header.frame_index is None else header.frame_index + 1
    return Plane(storage=str(source.SOPClassUID), instance=str(source.SOPInstanceUID), frame=frame)


def copy_vl_header(file: Path, size: tuple[int, int]) -> Dataset:
    """Copy what a SEG needs from a VL image (PS3.3 section A.32), which has no position in a patient.

    Args:
        file: the VL image.
        size: (columns, rows).

    Raises:
        CaseError: if a UID that the SEG must refer to is missing or invalid.
    """
    source = _copy_header(file)
    source.Columns, source.Rows = size
    if "FrameOfReferenceUID" in source:
        del source.FrameOfReferenceUID  # has no meaning without positions
    return source


def _set_slice_position(source: Dataset, header: SliceHeader, shared: tuple[list[str], list[str], str]) -> None:
    """Set the position of one slice; orientation and spacing are the first slice's, equal within tolerance."""
    source.ImageOrientationPatient, source.PixelSpacing, source.SliceThickness = shared
    source.ImagePositionPatient = format_decimals(read_numbers(header, "ImagePositionPatient", 3))


def _set_frame_positions(source: Dataset, geometry: SeriesGeometry) -> None:
    """Set the positions of all frames as functional groups (PS3.3 section C.7.6.16)."""
    from pydicom import Dataset

    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient, measures.PixelSpacing, measures.SliceThickness = _shared_plane(geometry)
    shared.PlaneOrientationSequence = [orientation]
    shared.PixelMeasuresSequence = [measures]
    source.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for header in geometry.headers:
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = format_decimals(read_numbers(header, "ImagePositionPatient", 3))
        group.PlanePositionSequence = [position]
        groups.append(group)
    source.PerFrameFunctionalGroupsSequence = groups
    source.NumberOfFrames = len(groups)


def _shared_plane(geometry: SeriesGeometry) -> tuple[list[str], list[str], str]:
    first = geometry.headers[0]
    thickness = stated_length(first, "SliceThickness") or float(np.linalg.norm(geometry.affine[:3, 2]))
    orientation = np.concatenate(read_directions(first)[:2])
    return format_decimals(orientation), format_decimals(read_pixel_spacing(first)), format_decimals([thickness])[0]


def format_decimals(values: Sequence[float] | np.ndarray) -> list[str]:
    """Format numbers as decimal strings of at most 16 characters (PS3.5 section 6.2)."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _copy_header(file: Path, copied: Sequence[str] = COPIED_ATTRIBUTES) -> Dataset:
    from pydicom import Dataset

    source = read_data_set(file, stop_before_pixels=True, specific_tags=[*copied, *IDENTIFYING_KEYWORDS])
    header = Dataset()
    for keyword in copied:
        value = _value(source, keyword)
        if value is not None:
            setattr(header, keyword, value)
    for keyword in TYPE_2_ATTRIBUTES:
        setattr(header, keyword, header.get(keyword, ""))
    if header.PatientSex not in SEXES:
        header.PatientSex = ""
    if "DeidentificationMethod" not in header and "PatientIdentityRemoved" in header:
        header.DeidentificationMethod = "not stated"  # PS3.3 section C.7.1.1: type 1C beside it
    if header.get("LossyImageCompression") not in ("00", "01"):
        header.LossyImageCompression = "00"

    meta = source.file_meta
    header.SOPClassUID = _uid(source, "SOPClassUID") or _uid(meta, "MediaStorageSOPClassUID") or CT_IMAGE
    header.SOPInstanceUID = _uid(source, "SOPInstanceUID") or _uid(meta, "MediaStorageSOPInstanceUID")
    header.StudyInstanceUID = _uid(source, "StudyInstanceUID")
    header.SeriesInstanceUID = _uid(source, "SeriesInstanceUID")
    for keyword in REFERENCED_UIDS:
        if not header.get(keyword):
            raise CaseError(f"dicomseg: {file.name} has no {keyword} that a SEG could refer to; ask for nifti")
    if frame_of_reference := _uid(source, "FrameOfReferenceUID"):
        header.FrameOfReferenceUID = frame_of_reference
    return header


def _uid(dataset: Dataset, keyword: str) -> str:
    """Return a UID as stored, since a reference must repeat it, or "" where there is none.

    Components with leading zeros are accepted: PS3.5 section 9.1 forbids them, but some anonymizers write them.
    """
    value = _raw(dataset, keyword)
    text = str(value or "").strip(" \0")
    return text if len(text) <= 64 and re.fullmatch(r"\d+(\.\d+)+", text) else ""


def _raw(dataset: Dataset, keyword: str) -> Any:
    try:
        return dataset.get(keyword)
    except Exception:  # the conversion of a damaged element raises all kinds of errors
        return None


def _value(dataset: Dataset, keyword: str) -> str | list[str] | None:
    """Return an attribute as text or a list of texts, or None where it is missing, empty or malformed."""
    from pydicom.datadict import dictionary_VM, dictionary_VR
    from pydicom.multival import MultiValue

    value = _raw(dataset, keyword)
    if value is None or value == "":
        return None
    values = [str(item).strip() for item in (value if isinstance(value, MultiValue) else [value])]
    if len(values) > 1 and dictionary_VM(keyword) == "1":
        return None
    if not all(is_well_formed(item, dictionary_VR(keyword)) for item in values):
        return None
    return values if len(values) > 1 else values[0]


def is_well_formed(text: str, vr: str) -> bool:
    """Return whether a text is a valid value of its value representation (PS3.5 section 6.2)."""
    from pydicom.config import RAISE
    from pydicom.valuerep import DA, validate_value

    if not text.isprintable() or "\\" in text:
        return False
    if vr == "PN" and any(group.count("^") >= MAX_NAME_COMPONENTS for group in text.split("=")):
        return False
    try:
        validate_value(vr, text, RAISE)
        if vr == "DA":
            DA(text)  # the check of the value representation accepts 30 February
    except ValueError:
        return False
    return True
