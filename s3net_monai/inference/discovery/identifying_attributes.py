"""Which attributes of DICOM identify a person, and which values identify nobody.

The list is Table E.1-1 of DICOM PS3.15, the Basic Application Level Confidentiality Profile, edition 2026c, as the
package ``dicom-anonymizer`` holds it.
"""

from __future__ import annotations

from functools import cache

from s3net_monai.file_formats import INPUTS

# Names, dates, addresses of devices and free text identify wherever they are, inside and outside of the profile.
IDENTIFYING_VRS = frozenset({"PN", "DA", "DT", "TM", "UI", "AE", "LT", "ST", "UT"})
# Of private attributes, nobody knows what the text means.
TEXT_VRS = IDENTIFYING_VRS | {"LO", "SH", "UC", "UR", "UN"}
_PRIVATE_VRS = TEXT_VRS | {"CS", "IS"}  # codes and numbers, such as that of a patient in the system of a ward
# The profile names binary values, too. Only those that are printable text can be repeated in a path.
PROFILE_VRS = TEXT_VRS | {"CS", "AS", "DS", "IS", "OB"}
_SHOWN_VRS = frozenset({"CS", "IS", "DS", "US", "SS", "UL", "FL", "FD"})

# A value that says no more than one of these identifies nobody, and occurs in ordinary names.
COMMON_WORDS = frozenset(
    [
        *("patient", "study", "series", "image", "images", "instance", "slice", "slices", "phase", "frame", "volume"),
        *("case", "mask", "masks", "seg", "label", "labels", "preview", "report", "file", "folder", "data", "scan"),
        *("dicom", "dicomdir", "dicomseg", "dcm", "ct", "mr", "mri", "pet", "rtstruct", "rtdose", "rtplan", "xray"),
        *("original", "derived", "primary", "secondary", "axial", "coronal", "sagittal", "localizer", "scout"),
        *("anonymous", "anonymized", "anonymised", "anon", "unknown", "none", "other", "yes", "not", "test", "phantom"),
        *("male", "female", "dr", "prof", "med", "mrs", "ms", "md", "phd", "jr", "sr", "local", "imported"),
        *("altered", "unaltered", "correct", "coerce", "true", "false"),
        *(name for name in INPUTS),
        *(suffix.lstrip(".") for form in INPUTS.values() for suffix in form.suffixes),
    ]
)

_TIMEZONE_OFFSET = 0x0008_0201  # one of some forty values, such as 0100, which whole countries share
_FLAGGED = tuple[int, int]


@cache
def _profile() -> tuple[frozenset[int], tuple[_FLAGGED, ...]]:
    """Return the tags of the profile, and (mask, value) of those that repeat in several groups (50xx, 60xx)."""
    from dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c import ALL_TAGS

    tags = frozenset((tag[0] << 16) + tag[1] for tag in ALL_TAGS if len(tag) == 2)
    repeating = [tag for tag in ALL_TAGS if len(tag) == 4]
    return tags, tuple(((tag[2] << 16) + tag[3], (tag[0] << 16) + tag[1]) for tag in repeating)


def is_in_profile(tag: int) -> bool:
    """Return whether an attribute, given as 0xGGGGEEEE, is one of the profile, or a private one."""
    tags, repeating = _profile()
    if tag == _TIMEZONE_OFFSET:
        return False
    return tag in tags or bool(tag >> 16 & 1) or any(tag & mask == value for mask, value in repeating)


def holds_identifier(tag: int, vr: str) -> bool:
    """Return whether the value of an attribute identifies.

    Args:
        tag: 0xGGGGEEEE.
        vr: its value representation (PS3.5 section 6.2).
    """
    if vr in IDENTIFYING_VRS:
        return True
    if tag >> 16 & 1:
        return vr in _PRIVATE_VRS
    return vr in PROFILE_VRS and is_in_profile(tag)


def may_be_shown(keyword: str) -> bool:
    """Return whether the values of an attribute may be quoted in a message: codes and numbers outside the profile."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    return tag is None or (dictionary_VR(tag) in _SHOWN_VRS and not is_in_profile(tag))
