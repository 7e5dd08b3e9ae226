"""NIfTI files whose header fields a test sets by hand."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

UPRIGHT = np.array([[-4.0, 0, 0, 90], [0, 4, 0, -60], [0, 0, 8, -40], [0, 0, 0, 1]])
_COS, _SIN = np.cos(0.3), np.sin(0.3)
TURN = np.array([[_COS, -_SIN, 0, 0], [_SIN, _COS, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
SHEARED = UPRIGHT.copy()
SHEARED[1, 2] = 8 * np.tan(np.radians(12))  # as a gantry tilts


def save_nifti(
    path: Path,
    array: np.ndarray,
    *,
    sform: tuple[np.ndarray | None, int] = (None, 0),
    qform: tuple[np.ndarray | None, int] = (None, 0),
    kind: Any = nibabel.Nifti1Image,
    **fields: Any,
) -> Path:
    """Save a file with exactly these forms, codes and fields ("pixdim" without its first value)."""
    header = kind(array, None).header.copy()
    header["vox_offset"] = header.sizeof_hdr + 4
    for form, (matrix, code) in {"qform": qform, "sform": sform}.items():
        if matrix is not None:
            getattr(header, f"set_{form}")(matrix, code)
        header[f"{form}_code"] = code
    for name, value in fields.items():
        if name == "pixdim":
            header["pixdim"][1:4] = value
        elif name == "qfac":
            header["pixdim"][0] = value
        else:
            header[name] = value
    # By hand, since nibabel repairs what it writes.
    content = header.binaryblock + bytes(4) + array.tobytes(order="F")
    path.write_bytes(gzip.compress(content) if path.name.lower().endswith(".gz") else content)
    return path
