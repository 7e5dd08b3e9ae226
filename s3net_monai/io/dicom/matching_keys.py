"""Attributes by which archives file an object: a mask must repeat its source's, valid or not.

An archive that finds another PatientID in the mask than in the images files it under another patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s3net_monai.io.dicom.files import read_data_set
from s3net_monai.io.dicom.seg_source import is_well_formed

if TYPE_CHECKING:
    from pydicom import Dataset

# Keys of queries for patients and studies (PS3.4 section C.6.2.1). UIDs, which a mask must refer to, are not among
# them: an invalid one is a reason to write no SEG.
KEYS = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
)
UNDECODABLE = "\ufffd"


@dataclass(frozen=True, kw_only=True)
class MatchingKeys:
    """The keys of one source.

    Attributes:
        values: text or list of texts by keyword; a key that is empty or missing in the source is left out.
        lost: keywords whose stored bytes are no text, so that they cannot be repeated as they are.
    """

    values: dict[str, str | list[str]]
    lost: tuple[str, ...]


def read_keys(file: Path) -> MatchingKeys:
    """Read the matching keys of a DICOM file; spaces and zeros at the end of a value only pad it."""
    from pydicom.config import disable_value_validation
    from pydicom.multival import MultiValue

    values: dict[str, str | list[str]] = {}
    lost: list[str] = []
    with disable_value_validation():
        source = read_data_set(file, stop_before_pixels=True, specific_tags=["SpecificCharacterSet", *KEYS])
        for keyword in KEYS:
            try:
                value = source.get(keyword)
            except Exception:  # the conversion of a damaged element raises all kinds of errors
                lost.append(keyword)
                continue
            texts = [str(item).rstrip(" \0") for item in (value if isinstance(value, MultiValue) else [value or ""])]
            if any(UNDECODABLE in text for text in texts):
                lost.append(keyword)
            if any(texts):
                values[keyword] = texts if len(texts) > 1 else texts[0]
    return MatchingKeys(values=values, lost=tuple(lost))


def repeat_keys(segmentation: Dataset, keys: MatchingKeys) -> None:
    """Set the keys of the source in its mask; pydicom's validation must be off, since they may be invalid."""
    for keyword, value in keys.values.items():
        setattr(segmentation, keyword, value)


def key_warnings(file: Path) -> list[str]:
    """Return a line for users about keys of a DICOM file that archives may refuse, or that its mask cannot repeat.

    The lines name keywords and no values, which identify a patient.
    """
    from pydicom.datadict import dictionary_VR

    keys = read_keys(file)
    invalid = [
        keyword
        for keyword, value in keys.values.items()
        if not isinstance(value, str) or not is_well_formed(value, dictionary_VR(keyword))  # none has several values
    ]
    warnings = []
    if invalid:
        warnings.append(
            f"DICOM SEG: {', '.join(invalid)} of the images break the standard and are repeated as they are, so that "
            "the mask stays with its patient and study; an archive may refuse it"
        )
    if keys.lost:
        warnings.append(
            f"DICOM SEG: {', '.join(keys.lost)} of the images cannot be decoded and differ in the mask; check where an "
            "archive files it"
        )
    return warnings
