"""The table of input formats, read by discovery, training, error messages and documentation, and names of files.

It imports nothing, since listing the images of a folder should not wait for MONAI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NIFTI_SUFFIXES = (".nii", ".nii.gz")
NRRD_SUFFIXES = (".nrrd", ".nhdr")
META_SUFFIXES = (".mha", ".mhd")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
ARCHIVE_SUFFIXES = (".zip",)
SEGMENTATION_SUFFIX = ".seg.nrrd"  # 3D Slicer's
DETACHED_HEADER_SUFFIXES = (".nhdr", ".mhd")  # their voxels are in another file
VOXEL_SUFFIXES = (".raw", ".zraw", ".raw.gz", ".img", ".img.gz")  # of a header beside them

DATALIST_FILE = "datalist.json"
DATASET_FILE = "dataset.json"  # of the Medical Segmentation Decathlon and of nnU-Net
# What a run of ``s3net segment`` writes: a mask is named <case>_seg and the extension of its format.
MASK_ENDING = "_seg"
PREVIEW_SUFFIX = "_preview.jpg"
REPORT_NAME = "report.json"
HTML_REPORT_NAME = "report.html"
LABEL_TABLE_NAME = "labels.csv"

Role = Literal["volume", "image_2d", "dicom", "archive"]


@dataclass(frozen=True, kw_only=True)
class InputFormat:
    """A format that can be read.

    Attributes:
        title: the format's name.
        suffixes: file name endings, in lower case.
        role: "volume" and "image_2d" files are cases; "dicom" files become cases according to their headers; an
            "archive" contains files of the other roles.
        holds: what is read from a file, as the documentation states it.
    """

    title: str
    suffixes: tuple[str, ...]
    role: Role
    holds: str


_VOLUME = "one 3-D volume, CT in HU; its data in the file or in one beside it"

INPUTS: dict[str, InputFormat] = {
    "nifti": InputFormat(title="NIfTI", suffixes=NIFTI_SUFFIXES, role="volume", holds="one 3-D volume, CT in HU"),
    "nrrd": InputFormat(title="NRRD", suffixes=NRRD_SUFFIXES, role="volume", holds=_VOLUME),
    "metaimage": InputFormat(title="MetaImage", suffixes=META_SUFFIXES, role="volume", holds=_VOLUME),
    "dicom": InputFormat(
        title="DICOM",
        suffixes=DICOM_SUFFIXES,
        role="dicom",
        holds="CT series, MR series by phase, and VL (visible-light) images, with or without suffix: files, series "
        "folders, trees of patients and studies, media with a DICOMDIR",
    ),
    "png": InputFormat(
        title="PNG", suffixes=(".png",), role="image_2d", holds="one 2-D image, or one CT or MR slice of 8 or 16 bits"
    ),
    "jpeg": InputFormat(
        title="JPEG",
        suffixes=(".jpg", ".jpeg"),
        role="image_2d",
        holds="one 2-D image, rotated according to its EXIF orientation",
    ),
    "bmp": InputFormat(title="BMP", suffixes=(".bmp",), role="image_2d", holds="one 2-D image"),
    "tiff": InputFormat(
        title="TIFF", suffixes=(".tif", ".tiff"), role="image_2d", holds="one 2-D image on a single page"
    ),
    "zip": InputFormat(
        title="zip",
        suffixes=ARCHIVE_SUFFIXES,
        role="archive",
        holds="any of these; archives within an archive are not opened",
    ),
}


def suffixes_of(role: Role) -> tuple[str, ...]:
    """Return the suffixes of all formats with this role, longer ones first."""
    suffixes = [suffix for format_ in INPUTS.values() if format_.role == role for suffix in format_.suffixes]
    return tuple(sorted(suffixes, key=lambda suffix: (-len(suffix), suffix)))


def known_suffix(name: str) -> str:
    """Return the suffix of a file name (``.nii.gz`` counts as one), or an empty string if it is unknown."""
    suffixes = sorted((suffix for format_ in INPUTS.values() for suffix in format_.suffixes), key=len, reverse=True)
    return next((suffix for suffix in suffixes if name.lower().endswith(suffix)), "")


KNOWN_INPUTS = ", ".join(format_.title for format_ in INPUTS.values())
VOLUME_SUFFIXES = suffixes_of("volume")
IMAGE_2D_SUFFIXES = suffixes_of("image_2d")
