"""What a DICOM SEG takes over from its source: clean headers, whatever an anonymiser or an old scanner left of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io.dicom_geometry import SeriesGeometry
from s3net_monai.io.dicom_slices import CT_IMAGE_STORAGE, directions, numbers, pixel_spacing
from s3net_monai.io.errors import CaseError

# Patient and study (PS3.3 sections C.7.1.1, C.7.2.1, C.7.2.2), and the scanner as contributing equipment (C.12.1).
# Nothing else is copied: references to objects elsewhere are often broken, and private tags mean nothing in a mask.
CARRIED = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("PatientSize", "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialSubjectID"),
    *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName"),
    *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "InstitutionName"),
    *("AcquisitionDate", "AcquisitionTime", "SeriesNumber", "PositionReferenceIndicator", "PatientOrientation"),
    *("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)
# Type 2: they may be empty, but must be there.
ALWAYS = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator"),
)
REFERRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
HEADER = (*CARRIED, *REFERRED, "SpecificCharacterSet", "SOPClassUID", "FrameOfReferenceUID", "Modality")
SEXES = ("M", "F", "O")
MOST_COMPONENTS = 5  # of a person's name, in each of its up to three spellings


def slice_sources(geometry: SeriesGeometry) -> list[Any]:
    """For every slice of a CT series, in order, a new dataset of what a SEG needs from it, all of it well-formed.

    These are its UIDs, its place and what ``CARRIED`` names. Values that break their value representation (PS3.5
    section 6.2) are left out, or left empty where the standard wants the attribute. A file without SOP UIDs gets those
    of its file meta information, and a series without a usable FrameOfReferenceUID one derived from its
    SeriesInstanceUID: a frame of reference shared with no other series.

    Raises:
        CaseError: when a UID that the SEG must refer to is missing or no UID, or the files disagree on theirs.
    """
    from pydicom.uid import generate_uid

    sources = [_clean(Path(header.filename)) for header in geometry.headers]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        if len({source.get(keyword, "") for source in sources}) > 1:
            raise CaseError(f"dicomseg: the slices have several {keyword}s; give one series, or ask for nifti")
    if len({source.SOPInstanceUID for source in sources}) < len(sources):
        raise CaseError("dicomseg: two slices share a SOPInstanceUID, so none can be referred to; ask for nifti")
    for source, header in zip(sources, geometry.headers, strict=True):
        if "FrameOfReferenceUID" not in source:
            source.FrameOfReferenceUID = generate_uid(entropy_srcs=[source.SeriesInstanceUID])
        _place(source, header, geometry)
    return sources


def picture_source(file: Path) -> Any:
    """The same for a photograph (PS3.3 section A.32), which has no place in a frame of reference.

    Raises:
        CaseError: when a UID that the SEG must refer to is missing or no UID.
    """
    source = _clean(file)
    if "FrameOfReferenceUID" in source:
        del source.FrameOfReferenceUID  # says nothing without positions
    return source


def _place(source: Any, header: Any, geometry: SeriesGeometry) -> None:
    """Set size and position; orientation and spacing are those of the first slice, which all share in tolerance."""
    from pydicom.valuerep import format_number_as_ds

    first = geometry.headers[0]
    step = float(np.linalg.norm(geometry.affine[:3, 2]))
    for keyword, values in (
        ("ImageOrientationPatient", np.concatenate(directions(first)[:2])),
        ("ImagePositionPatient", numbers(header, "ImagePositionPatient", 3)),
        ("PixelSpacing", pixel_spacing(first)),
        ("SliceThickness", [_thickness(first) or step]),
    ):
        texts = [format_number_as_ds(float(value)) for value in values]
        setattr(source, keyword, texts if len(texts) > 1 else texts[0])
    source.Columns, source.Rows = geometry.size


def _thickness(header: Any) -> float:
    try:
        return max(float(header.get("SliceThickness") or 0.0), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _clean(file: Path) -> Any:
    from pydicom import Dataset, dcmread

    source = dcmread(file, stop_before_pixels=True, specific_tags=list(HEADER))
    header = Dataset()
    for keyword in CARRIED:
        value = _value(source, keyword)
        if value is not None:
            setattr(header, keyword, value)
    for keyword in ALWAYS:
        setattr(header, keyword, header.get(keyword, ""))
    if header.PatientSex not in SEXES:
        header.PatientSex = ""
    if "DeidentificationMethod" not in header and "PatientIdentityRemoved" in header:
        header.DeidentificationMethod = "not stated"  # PS3.3 section C.7.1.1: type 1C beside it
    if header.get("LossyImageCompression") not in ("00", "01"):
        header.LossyImageCompression = "00"

    meta = source.file_meta
    header.SOPClassUID = _uid(source, "SOPClassUID") or _uid(meta, "MediaStorageSOPClassUID") or CT_IMAGE_STORAGE
    header.SOPInstanceUID = _uid(source, "SOPInstanceUID") or _uid(meta, "MediaStorageSOPInstanceUID")
    header.StudyInstanceUID = _uid(source, "StudyInstanceUID")
    header.SeriesInstanceUID = _uid(source, "SeriesInstanceUID")
    for keyword in REFERRED:
        if not header.get(keyword):
            raise CaseError(f"dicomseg: {file.name} has no {keyword} that a SEG could refer to; ask for nifti")
    if frame_of_reference := _uid(source, "FrameOfReferenceUID"):
        header.FrameOfReferenceUID = frame_of_reference
    return header


def _uid(dataset: Any, keyword: str) -> str:
    """A UID as stored, since a reference must repeat it, or "" where there is none.

    Components with leading zeros, which PS3.5 section 9.1 forbids and some anonymisers write, are let through.
    """
    value = _raw(dataset, keyword)
    text = str(value or "").strip(" \0")
    return text if len(text) <= 64 and re.fullmatch(r"\d+(\.\d+)+", text) else ""


def _raw(dataset: Any, keyword: str) -> Any:
    try:
        return dataset.get(keyword)
    except Exception:  # a damaged element raises whatever its conversion stumbles over
        return None


def _value(dataset: Any, keyword: str) -> Any:
    """The attribute's value as text, or list of texts, or None where it is missing, empty or malformed."""
    from pydicom.datadict import dictionary_VM, dictionary_VR
    from pydicom.multival import MultiValue

    value = _raw(dataset, keyword)
    if value is None or value == "":
        return None
    values = [str(item).strip() for item in (value if isinstance(value, MultiValue) else [value])]
    if len(values) > 1 and dictionary_VM(keyword) == "1":
        return None
    if not all(_is_well_formed(item, dictionary_VR(keyword)) for item in values):
        return None
    return values if len(values) > 1 else values[0]


def _is_well_formed(text: str, vr: str) -> bool:
    from pydicom.config import RAISE
    from pydicom.valuerep import DA, validate_value

    if not text.isprintable() or "\\" in text:
        return False
    if vr == "PN" and any(group.count("^") >= MOST_COMPONENTS for group in text.split("=")):
        return False
    try:
        validate_value(vr, text, RAISE)
        if vr == "DA":
            DA(text)  # the value representation alone lets 30 February through
    except ValueError:
        return False
    return True
