"""What a user must know about a DICOM SEG that was written."""

from __future__ import annotations

import warnings
from pathlib import Path

from s3net_monai.io.dicom.files import list_dicom_files
from s3net_monai.io.dicom.matching_keys import key_warnings
from s3net_monai.io.mask import Mask


def seg_warnings(mask: Mask, path: Path) -> list[str]:
    """Return a line for users about every problem of a SEG, without identifiers of the patient.

    Args:
        mask: that was written.
        path: of the SEG.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes values in its own
        return [*key_warnings(list_dicom_files(mask.source)[0]), *_bit_packing_warnings(path)]


def _bit_packing_warnings(path: Path) -> list[str]:
    """Warn of binary frames that begin within a byte, which web viewers misplace.

    The frames follow each other without a gap (PS3.5 section 8.1.1), so they begin within a byte where a frame has a
    number of pixels that is no multiple of 8. Cornerstone, on which OHIF stands, lets every frame begin with a byte.
    """
    from pydicom import dcmread

    seg = dcmread(
        path, specific_tags=["SegmentationType", "Rows", "Columns", "NumberOfFrames"], stop_before_pixels=True
    )
    if seg.SegmentationType != "BINARY" or seg.Rows * seg.Columns % 8 == 0 or int(seg.NumberOfFrames) == 1:
        return []
    return [
        f"dicomseg: frames of {seg.Rows} x {seg.Columns} pixels, no multiple of 8: OHIF and other web viewers on "
        "Cornerstone show the segments at wrong places or not at all; the file is valid, and dicomseg-labelmap is safe"
    ]
