"""The input formats by name: one table for discovery, messages and the README."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from s3net_monai.io.archive import ARCHIVE_SUFFIXES
from s3net_monai.io.dicom.files import DICOM_SUFFIXES
from s3net_monai.io.volume_header import META_SUFFIXES, NRRD_SUFFIXES


@dataclass(frozen=True)
class InputFormat:
    """A format that is read.

    Attributes:
        title: its name.
        suffixes: what its files end with, lower case.
        role: "volume" and "picture" are cases; "dicom" becomes cases by its headers; "archive" holds any of them.
        holds: what is taken from it, for people.
    """

    title: str
    suffixes: tuple[str, ...]
    role: Literal["volume", "picture", "dicom", "archive"]
    holds: str


_VOLUME = "one 3-D volume, CT in HU; its data in the file or in one beside it"

INPUTS: dict[str, InputFormat] = {
    "nifti": InputFormat("NIfTI", (".nii", ".nii.gz"), "volume", "one 3-D volume, CT in HU"),
    "nrrd": InputFormat("NRRD", NRRD_SUFFIXES, "volume", _VOLUME),
    "metaimage": InputFormat("MetaImage", META_SUFFIXES, "volume", _VOLUME),
    "dicom": InputFormat(
        "DICOM",
        DICOM_SUFFIXES,
        "dicom",
        "CT series and photographs, with or without suffix: files, series folders, trees of patients and studies, "
        "media with a DICOMDIR",
    ),
    "png": InputFormat("PNG", (".png",), "picture", "one picture, or one CT or MR slice of 8 or 16 bits"),
    "jpeg": InputFormat("JPEG", (".jpg", ".jpeg"), "picture", "one picture, turned as its EXIF orientation says"),
    "bmp": InputFormat("BMP", (".bmp",), "picture", "one picture"),
    "tiff": InputFormat("TIFF", (".tif", ".tiff"), "picture", "one picture on a single page"),
    "zip": InputFormat("zip", ARCHIVE_SUFFIXES, "archive", "any of these; an archive in an archive is not opened"),
}


def suffixes_of(role: str) -> tuple[str, ...]:
    """The suffixes of all formats with this role, longer ones first."""
    found = [suffix for format_ in INPUTS.values() if format_.role == role for suffix in format_.suffixes]
    return tuple(sorted(found, key=lambda suffix: (-len(suffix), suffix)))


def known_suffix(name: str) -> str:
    """The suffix of a file name, ``.nii.gz`` counting as one; empty for an unknown one."""
    every = sorted((suffix for format_ in INPUTS.values() for suffix in format_.suffixes), key=len, reverse=True)
    return next((suffix for suffix in every if name.lower().endswith(suffix)), "")


KNOWN_INPUTS = ", ".join(format_.title for format_ in INPUTS.values())
