"""The header of one image, and its values in a form that later code can rely on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from s3net_monai.io.dicom.uids import CT_IMAGE, MR_IMAGE
from s3net_monai.utils.errors import CaseError

if TYPE_CHECKING:
    from pydicom import Dataset

DIRECTION_TOLERANCE = 1e-3  # of each direction cosine


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One image of a DICOM file: the only one, or a frame of an enhanced multi-frame object.

    Attributes:
        dataset: its attributes; the pixel data is among them where the whole file was read.
        path: the file.
        frame_index: index among the frames of an enhanced multi-frame object, from 0; None for other files.
        num_frames: number of frames of that object; 1 for other files.
    """

    dataset: Dataset
    path: Path
    frame_index: int | None = None
    num_frames: int = 1

    @property
    def name(self) -> str:
        """File name for messages, with the frame where there are several; folders may carry a patient's name."""
        if self.frame_index is None or self.num_frames == 1:
            return self.path.name
        return f"{self.path.name} frame {self.frame_index + 1}"

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the value of an attribute, or ``default`` where it is missing."""
        return self.dataset.get(keyword, default)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.dataset


def is_image(header: SliceHeader) -> bool:
    """Return whether the object is an image; structure sets, reports and presentation states have no ``Rows``."""
    return "Rows" in header and "Columns" in header


def modality_of(header: SliceHeader) -> str:
    """Return Modality, or what the SOP class says where it is missing; empty where neither says it."""
    stated = str(header.get("Modality") or "")
    return stated or {CT_IMAGE: "CT", MR_IMAGE: "MR"}.get(str(header.get("SOPClassUID")), "")


def quote_term(value: Any) -> str:
    """Return a coded string (PS3.5 section 6.2) for messages.

    Any other text in a damaged header could be a patient's name, and is not quoted.
    """
    text = str(value).strip()
    return text if re.fullmatch(r"[A-Z0-9_ ]{1,16}", text) else "an unreadable value"


def uid_name(value: Any) -> str:
    """Return the name of a UID in PS3.6 for messages."""
    from pydicom.uid import UID

    uid = UID(str(value))
    return uid.name if uid.is_valid else "an unreadable UID"


def read_numbers(header: SliceHeader, keyword: str, count: int) -> np.ndarray:
    """Return an attribute that holds ``count`` finite numbers, as float64.

    Raises:
        CaseError: if the attribute is missing, holds another number of values, or a value that is not finite.
    """
    value = header.get(keyword)
    try:
        values = np.atleast_1d(np.array([] if value is None else value, dtype=np.float64))
    except (TypeError, ValueError):
        values = np.array([])
    if values.shape != (count,) or not np.isfinite(values).all():
        plural = "number" if count == 1 else "numbers"
        raise CaseError(f"{header.name}: no usable {keyword} ({count} {plural} expected); export it again")
    return values


def read_integer(header: SliceHeader, keyword: str, default: int | None = None) -> int:
    """Return an attribute that holds one whole number, or ``default`` where it is missing or empty.

    Raises:
        CaseError: if it is not a whole number, or missing without a default.
    """
    if default is not None and header.get(keyword) in (None, ""):
        return default
    value = float(read_numbers(header, keyword, 1)[0])
    if not value.is_integer():
        raise CaseError(f"{header.name}: {keyword} {value} is not a whole number; export the series again")
    return int(value)


def read_pixel_spacing(header: SliceHeader) -> np.ndarray:
    """Return (row spacing, column spacing) in mm.

    Raises:
        CaseError: if it is missing or not positive.
    """
    values = read_numbers(header, "PixelSpacing", 2)
    if not (values > 0).all():
        raise CaseError(f"{header.name}: PixelSpacing {values.tolist()} must be positive; export the series again")
    return values


def stated_length(header: SliceHeader, keyword: str) -> float:
    """Return an optional positive length in mm, or 0 where it is missing or makes no sense."""
    try:
        length = float(header.get(keyword) or 0.0)
    except (TypeError, ValueError):
        return 0.0
    return length if 0.0 < length < math.inf else 0.0


def read_directions(header: SliceHeader) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the unit vectors (LPS) along a row, along a column and along the slice normal.

    Raises:
        CaseError: if ImageOrientationPatient is not two perpendicular unit vectors.
    """
    row, column = read_numbers(header, "ImageOrientationPatient", 6).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if np.abs(np.array([*lengths, 1.0 + row @ column]) - 1.0).max() > DIRECTION_TOLERANCE:
        raise CaseError(f"{header.name}: ImageOrientationPatient is not two perpendicular unit vectors")
    row, column = row / lengths[0], column / lengths[1]
    return row, column, np.cross(row, column)
