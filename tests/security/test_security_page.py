"""The page on security: its table of limits is that of the code, and every limit of the readers is on it."""

from __future__ import annotations

import re

from s3net_monai.inference.dicomweb import limits as dicomweb_limits
from s3net_monai.io import limits
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
EXTENT = f"{limits.MIN_EXTENT_MM:.0f} to {limits.MAX_EXTENT_MM:.0f} mm"  # tests run with another lower limit
# What is a condition of another limit, or concerns the place of an image and not the cost of reading it.
NOT_LISTED = {"MAX_EXPANSION", "MAX_SHIFT", "MAX_POSITION_MM"}


def table() -> dict[str, str]:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE.partition("## Limits")[2].partition("\n## ")[0], re.MULTILINE)
    return dict(rows)


def binary(count: int) -> str:
    for size, unit in ((2**30, "GiB"), (2**20, "MiB")):
        if count % size == 0:
            return f"{count // size} {unit}"
    raise AssertionError(f"{count} bytes are no round number")


def test_the_limits_are_those_of_the_code() -> None:
    image = dicomweb_limits.INSTANCE
    assert table() == {
        "a file": f"{binary(limits.MAX_FILE_BYTES)}, a 2-D image {binary(limits.MAX_IMAGE_2D_BYTES)}",
        "voxels of a volume": f"{limits.MAX_VOXELS:,}",
        "pixels of a 2-D image": f"{limits.MAX_PIXELS:,}",
        "pixels along a side of a CT slice": f"{limits.MAX_CT_SIDE:,}",
        "extent of a volume along its longest axis": EXTENT,
        "header of NRRD and MetaImage": binary(limits.MAX_VOLUME_HEADER),
        "bytes before the voxels of NIfTI": binary(limits.MAX_NIFTI_OFFSET),
        "a deflated DICOM file, expanded": binary(limits.MAX_DEFLATED_BYTES),
        "DICOM sequences inside sequences": str(limits.MAX_SEQUENCE_DEPTH),
        "a zip archive": f"{limits.MAX_ARCHIVE_MEMBERS:,} members, {binary(limits.MAX_ARCHIVE_BYTES)} unpacked, "
        f"{limits.MAX_ARCHIVE_DEPTH} folders in each other",
        "all zip archives of a run": f"{limits.MAX_UNPACKED_MEMBERS:,} members, "
        f"{binary(limits.MAX_UNPACKED_BYTES)} unpacked",
        f"what exceeds {limits.MAX_ARCHIVE_RATIO} times the size of its archive": f"{binary(limits.MIN_RATIO_BYTES)} "
        "in a run",
        "disk space that unpacking leaves free": f"{binary(limits.MAX_DISK_RESERVE)}, of a small disk a twentieth",
        "one image from a DICOMweb server": f"{binary(image.size)}, {image.seconds:,.0f} s",
        "a study from a DICOMweb server": f"{dicomweb_limits.STUDY_INSTANCES:,} images, "
        f"{binary(dicomweb_limits.STUDY_BYTES)}, {dicomweb_limits.STUDY_SECONDS / 3600:.0f} h",
        "wait for a DICOMweb server": f"{dicomweb_limits.CONNECT_SECONDS:.0f} s for a connection, "
        f"{dicomweb_limits.SILENCE_SECONDS:.0f} s for a byte",
    }


def test_every_limit_of_the_readers_is_on_the_page() -> None:
    """A new constant needs a row above, or a reason not to have one."""
    source = (ROOT / "tests" / "security" / "test_security_page.py").read_text(encoding="utf-8")
    names = {name for name in vars(limits) if re.match(r"(MAX|MIN)_[A-Z0-9_]+$", name)}
    assert names - NOT_LISTED == {name for name in names if f"limits.{name}" in source}
    assert names >= NOT_LISTED


def test_the_way_to_report_is_named_at_the_top() -> None:
    form = "https://github.com/s3net-monai/s3net-monai/security/advisories/new"
    assert form in PAGE
    assert form in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
