"""What an NRRD or MetaImage header states of the size, the unit and the scale of its voxels.

ITK, and so 3D Slicer, ignores some of these fields: units, the ends of axes, the scale of values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from s3net_monai.io.itk_affine import VIEWERS
from s3net_monai.utils.errors import CaseError

_MM_PER_UNIT = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micron", "microns", "micrometer", "micrometers"), 1e-3),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 10.0),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e3),
}
_NO_ORIENTATION = "the header states no orientation: read as LPS, as ITK does, so left and right are a guess"


@dataclass(frozen=True, kw_only=True)
class VolumeScale:
    """Sizes and scale of the voxels.

    Attributes:
        spacing: (3,) in the header's unit.
        mm: length of the header's unit.
        slope: of the function from stored values to intensities.
        offset: likewise.
        notes: what a user must know, one line each.
    """

    spacing: tuple[float, ...]
    mm: float = 1.0
    slope: float = 1.0
    offset: float = 0.0
    notes: tuple[str, ...] = ()


def nrrd_scale(name: str, fields: Mapping[str, str]) -> VolumeScale:
    """Return the scale of a 3-D NRRD header.

    Args:
        name: of the file, for messages.
        fields: by name in lower case without blanks.

    Raises:
        CaseError: if no voxel size is stated, if its unit is unknown, or if the values are quantized.
    """
    if "oldmin" in fields or "oldmax" in fields:
        raise CaseError(f"{name}: quantized values ('old min', 'old max') found; restore them with unu unquantize")
    notes = []
    mm, unit = _nrrd_unit(name, fields)
    if mm != 1:
        notes.append(_unit_note(unit))
    if not fields.get("space"):
        notes.append(_NO_ORIENTATION)
    spacing: list[float] = []
    if "spacedirections" in fields:
        vectors = re.findall(r"\(([^()]*)\)", fields["spacedirections"])
        spacing = [math.hypot(*_numbers(vector.replace(",", " "))) for vector in vectors]
    elif "spacings" in fields:
        spacing = [abs(step) for step in _numbers(fields["spacings"])]
    elif "axismins" in fields and "axismaxs" in fields:
        spacing = _between_ends(fields)
        notes.append(f"voxel size from 'axis mins' and 'axis maxs', which {VIEWERS} ignore")
    return VolumeScale(spacing=_checked(name, spacing, "'space directions' or 'spacings'"), mm=mm, notes=tuple(notes))


def meta_scale(name: str, fields: Mapping[str, str]) -> VolumeScale:
    """Return the scale of a 3-D MetaImage header.

    Raises:
        CaseError: if no voxel size is stated, if its unit is unknown, or if the scale of the values is not one.
    """
    notes = []
    unit = fields.get("DistanceUnits", "")
    mm = _mm_per(name, "DistanceUnits", unit)
    if mm != 1:
        notes.append(_unit_note(unit))
    if not any(key in fields for key in ("TransformMatrix", "Rotation", "Orientation")):
        notes.append(_NO_ORIENTATION)
    slopes = _numbers(fields.get("ElementToIntensityFunctionSlope", "1"))
    offsets = _numbers(fields.get("ElementToIntensityFunctionOffset", "0"))
    if len(slopes) != 1 or len(offsets) != 1 or not math.isfinite(slopes[0] + offsets[0]) or slopes[0] == 0:
        raise CaseError(f"{name}: ElementToIntensityFunction found without usable numbers; correct the header")
    if (slopes[0], offsets[0]) != (1, 0):
        notes.append(f"ElementToIntensityFunction of {slopes[0]:g}, {offsets[0]:g} applied, which {VIEWERS} ignore")
    sizes = _numbers(fields.get("ElementSpacing", fields.get("ElementSize", "")))
    if not np.array_equal(sizes, _numbers(fields.get("ElementSize", fields.get("ElementSpacing", "")))):
        notes.append("ElementSpacing and ElementSize differ: the spacing counts")
    spacing = _checked(name, [abs(size) for size in sizes], "ElementSpacing")
    return VolumeScale(spacing=spacing, mm=mm, slope=slopes[0], offset=offsets[0], notes=tuple(notes))


def _nrrd_unit(name: str, fields: Mapping[str, str]) -> tuple[float, str]:
    """Return the length in mm, and the name, of the one unit of all axes."""
    units = {unit for key in ("spaceunits", "units") for unit in re.findall(r'"([^"]*)"', fields.get(key, "")) if unit}
    lengths = {_mm_per(name, "space units", unit) for unit in units} or {1.0}
    if len(lengths) > 1:
        raise CaseError(f"{name}: space units {', '.join(sorted(units))} found, one expected; save the volume in mm")
    return lengths.pop(), ", ".join(sorted(units))


def _mm_per(name: str, field: str, unit: str) -> float:
    if unit.strip("? ") == "":  # "?" and "???" are the formats' own words for unknown
        return 1.0
    known = unit.replace("\u00c2", "").replace("\u00ce\u00bc", "\u03bc").strip().lower()  # UTF-8 read as Latin-1
    if known not in _MM_PER_UNIT:
        raise CaseError(f"{name}: {field} {unit[:20]!r} found, mm, um, cm or m expected; save the volume in mm")
    return _MM_PER_UNIT[known]


def _unit_note(unit: str) -> str:
    return (
        f"voxel sizes in {unit} found: converted to mm; {VIEWERS} ignore the unit, the .seg.nrrd lies where they show "
        "the image, and a NIfTI mask, in mm, does not"
    )


def _between_ends(fields: Mapping[str, str]) -> list[float]:
    """Return the step between the samples of every axis (NRRD format definition, section 5, "centers")."""
    centers = fields.get("centers", fields.get("centerings", "")).lower().split() or ["cell"] * 3
    ends = zip(_numbers(fields["axismins"]), _numbers(fields["axismaxs"]), strict=False)
    sizes = [int(size) for size in fields.get("sizes", "").split()]
    return [
        abs(end - start) / max(size - (center == "node"), 1)
        for (start, end), size, center in zip(ends, sizes, centers, strict=False)
    ]


def _numbers(text: str) -> list[float]:
    """Return the numbers of a field; NaN for a word that is none."""
    numbers = []
    for word in text.split():
        try:
            numbers.append(float(word))
        except ValueError:
            numbers.append(math.nan)
    return numbers


def _checked(name: str, spacing: list[float], field: str) -> tuple[float, ...]:
    if len(spacing) != 3 or not all(math.isfinite(step) and step > 0 for step in spacing):
        found = "x".join(f"{step:.4g}" for step in spacing[:4]) or "none"
        raise CaseError(
            f"{name}: voxel size {found} found, {field} with three sizes above 0 expected; save the volume with its "
            "voxel size in mm"
        )
    return tuple(spacing)
