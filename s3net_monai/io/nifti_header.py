"""Strict checks of NIfTI headers, and the one affine that everything else takes from them.

Programs read the same header in two ways. nibabel takes the sform if its code is not 0, else the qform, else an affine
of its own from the voxel sizes. ITK, on which 3D Slicer and ITK-SNAP are built, prefers the qform to an sform of code 2
to 4, and has another convention without codes. Here nibabel's affine counts, and where ITK differs a note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.file_formats import NIFTI_SUFFIXES
from s3net_monai.io.itk_affine import VIEWERS, nifti_in_itk
from s3net_monai.io.limits import check_extent, check_position, check_voxels
from s3net_monai.io.nifti_file import NiftiFile, check_storage, open_nifti
from s3net_monai.io.shear import check_shear
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import corner_shift, is_invertible

VISIBLE_MM = 0.5  # rounded axes put the corners of a volume off by less
MAX_SIZE_ERROR = 0.005  # of a voxel, between pixdim and the sform; three decimals round thin voxels by 0.002
MAX_SLOPE = 1e20  # and its inverse the least: values in SI units reach 1e-15
_MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}


@dataclass(frozen=True, kw_only=True)
class NiftiHeader:
    """A checked header of one volume.

    Attributes:
        shape: (X, Y, Z), or (X, Y) of a slice without third axis.
        affine: (4, 4) RAS+ in mm, which nibabel reads.
        raw: nibabel's header, with every field as it is stored.
        shear: degrees by which its axes are off a right angle, which are to be repaired; 0 for other volumes.
        notes: what a user must know of its position, one line each.
    """

    shape: tuple[int, ...]
    affine: np.ndarray
    raw: Any
    shear: float
    notes: tuple[str, ...]


def is_nifti(path: Path) -> bool:
    """Return whether a file has a suffix of NIfTI."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def read_nifti_header(path: Path, allow: Sequence[str] = ()) -> NiftiHeader:
    """Read and check the header of one NIfTI file.

    Args:
        path: the file.
        allow: values of ``Irregularity`` to repair instead of refusing; "tilt" is the one that a volume can have.

    Raises:
        CaseError: if it is damaged, not one volume or slice of one channel, beyond the limits of ``io.limits``, or if
            its fields leave the position of the voxels or their size open.
    """
    with open_nifti(path) as file:
        return check_nifti_file(file, allow)


def check_nifti_file(file: NiftiFile, allow: Sequence[str] = ()) -> NiftiHeader:
    """Check the header of an open file, of which no block is taken.

    Raises:
        CaseError: as ``read_nifti_header``.
    """
    affine = _stated_affine(file)
    header = check_nifti_header(file.name, file.raw, file.header.get_data_shape(), affine, allow)
    _check_scale(file.name, file.raw)
    check_storage(file, header.shape)
    return replace(header, notes=(*header.notes, *_position_notes(header), *_bitpix_notes(file)))


def check_label_file(file: NiftiFile) -> NiftiHeader:
    """Check the header of the label of an image; its position is not checked, since the image's is.

    Raises:
        CaseError: if it is damaged, not one volume or slice of one channel, or beyond the limits of ``io.limits``.
    """
    shape = _one_volume(file.name, file.header.get_data_shape())
    _check_scale(file.name, file.raw)
    check_storage(file, shape)
    affine = np.diag([*[mm_per_unit(file.raw)] * 3, 1.0]) @ _stated_affine(file)
    return NiftiHeader(shape=shape, affine=affine, raw=file.raw, shear=0.0, notes=())


def check_nifti_header(
    name: str, raw: Any, shape: Sequence[int], affine: np.ndarray, allow: Sequence[str] = ()
) -> NiftiHeader:
    """Check the fields of a header that state shape and position.

    Args:
        name: of the file or image, for messages.
        raw: nibabel's ``Nifti1Header`` or ``Nifti2Header``.
        shape: of the voxels, with all axes.
        affine: (4, 4), which nibabel reads, in the header's unit.
        allow: as in ``read_nifti_header``.

    Raises:
        CaseError: as ``read_nifti_header``.
    """
    _check_mixed_phases(name, raw)
    sizes = _one_volume(name, shape)
    if not is_invertible(affine):
        raise CaseError(f"{name}: its affine is not invertible, so voxels have no position; repair the header")
    if len(sizes) == 2:
        return NiftiHeader(shape=sizes, affine=affine, raw=raw, shear=0.0, notes=())
    shear = check_shear(name, affine, allow)
    _check_pixdim(name, raw, affine, shear)
    in_mm = np.diag([*[mm_per_unit(raw)] * 3, 1.0]) @ affine if mm_per_unit(raw) != 1 else affine
    check_extent(name, sizes, in_mm)
    check_position(name, in_mm)
    notes = [f"voxel sizes in {_unit(raw)} found: converted to mm"] if mm_per_unit(raw) != 1 else []
    if raw["sform_code"] <= 0 and raw["qform_code"] <= 0:
        notes.append("the file states no orientation (qform_code and sform_code are 0): left and right are a guess")
    return NiftiHeader(shape=sizes, affine=in_mm, raw=raw, shear=shear, notes=tuple(notes))


def _stated_affine(file: NiftiFile) -> np.ndarray:
    """Return the affine (4, 4) that nibabel takes, in the header's unit."""
    from nibabel.spatialimages import HeaderDataError

    try:
        return np.asarray(file.header.get_best_affine(), dtype=np.float64)
    except (ValueError, HeaderDataError) as error:  # only the qform can fail, and only where it counts
        stated = ", ".join(f"{float(file.raw[f'quatern_{letter}']):.6g}" for letter in "bcd")
        raise CaseError(
            f"{file.name}: its quaternion {stated} (quatern_b, c, d) is longer than 1, so it is no rotation; correct "
            "it, or state the position in the sform"
        ) from error


def _one_volume(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape without last axes of length 1, if it is that of one volume or slice within the limits."""
    sizes = tuple(int(size) for size in shape)
    if any(size > 1 for size in sizes[3:]):
        raise CaseError(
            f"{name}: shape {_shown(sizes)} has several channels or frames, one 3-D volume expected; save the one you "
            "want as a file"
        )
    sizes = sizes[:3]
    if len(sizes) < 2 or min(sizes) < 1:
        raise CaseError(f"{name}: shape {_shown(sizes)} found, a 3-D volume expected; give slices as PNG")
    check_voxels(name, sizes)
    return sizes


def _check_scale(name: str, raw: Any) -> None:
    """Refuse a scale of the values that programs read differently, or that no scanner or program writes.

    A slope of 0 or NaN says that the values are not scaled.
    """
    slope, inter = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return
    if not (1 / MAX_SLOPE <= abs(slope) <= MAX_SLOPE and np.isfinite(inter)):
        raise CaseError(
            f"{name}: values scaled by {slope:.4g} and {inter:.4g} (scl_slope, scl_inter), plausible numbers "
            "expected; correct the header"
        )


def _bitpix_notes(file: NiftiFile) -> list[str]:
    """Return a note where the header states the size of a voxel twice and differently; the file's length decides."""
    stated, bits = int(file.raw["bitpix"]), 8 * file.header.get_data_dtype().itemsize
    if stated in (0, bits):
        return []
    return [f"bitpix is {stated}, but a voxel of its datatype has {bits} bits, which its length confirms"]


def _check_mixed_phases(name: str, raw: Any) -> None:
    """Refuse what dcm2niix writes for MR cine that is numbered slice by slice: its slices have no distance."""
    if raw["sform_code"] <= 0 or raw["qform_code"] <= 0:
        return
    columns = np.linalg.norm(raw.get_sform()[:3, :3], axis=0)
    pixdim = np.asarray(raw["pixdim"][1:4], dtype=np.float64)
    if columns[2] < 1e-6 < columns[:2].min() and (np.isfinite(pixdim) & (pixdim > 0)).all():
        raise CaseError(
            f"{name}: its slices have no distance in the sform (a column of zeros), so slices and phases are mixed, as "
            "dcm2niix does with cine series that are numbered slice by slice; give the DICOM series itself"
        )


def _check_pixdim(name: str, raw: Any, affine: np.ndarray, shear: float) -> None:
    """Refuse voxel sizes that are not stated, or stated twice with different values."""
    pixdim = np.asarray(raw["pixdim"][1:4], dtype=np.float64)
    stated = _shown(f"{size:.4g}" for size in pixdim)
    if not (np.isfinite(pixdim).all() and (pixdim > 0).all()):
        raise CaseError(f"{name}: voxel size {stated} in pixdim, numbers above 0 expected; correct the header")
    columns = np.linalg.norm(affine[:3, :3], axis=0)
    differs = np.abs(columns - pixdim) > MAX_SIZE_ERROR * pixdim
    if shear:  # of a tilted gantry the distance of slices may be stated along their normal
        heights = 1 / np.linalg.norm(np.linalg.inv(affine[:3, :3]), axis=1)
        differs &= np.abs(heights - pixdim) > MAX_SIZE_ERROR * pixdim
    if differs.any():
        raise CaseError(
            f"{name}: voxels of {stated} by pixdim and of {_shown(f'{size:.4g}' for size in columns)} by the sform, "
            "which programs read differently; correct the one that is wrong"
        )
    if raw["sform_code"] <= 0 < raw["qform_code"] and raw["pixdim"][0] not in (-1, 0, 1):
        raise CaseError(
            f"{name}: pixdim[0] is {raw['pixdim'][0]:.4g}, 1 or -1 expected (the handedness of its axes), which "
            "programs read differently; correct it"
        )


def _position_notes(header: NiftiHeader) -> list[str]:
    """Return a note where the header states another position, too, or ITK shows the volume at another place."""
    if header.shear:
        return [
            f"axes sheared by {header.shear:.1f} degrees: resampled to a rectangular grid; {VIEWERS} do not open the "
            "image itself, or show it without the shear"
        ]
    seen = nifti_in_itk(header.raw) if len(header.shape) == 3 else None
    distance = 0.0 if seen is None else corner_shift(seen, header.affine, header.shape)[1]
    if distance <= VISIBLE_MM:
        return _second_position_notes(header)
    other = "take the qform, not the sform," if header.raw["qform_code"] > 0 else "have another convention"
    return [f"{VIEWERS} {other} and show it up to {distance:.0f} mm elsewhere; the .seg.nrrd lies there"]


def _second_position_notes(header: NiftiHeader) -> list[str]:
    """Return a note where the qform is another place than the sform, which counts."""
    if header.raw["sform_code"] <= 0 or header.raw["qform_code"] <= 0 or len(header.shape) < 3:
        return []
    from nibabel.spatialimages import HeaderDataError

    try:
        second = np.diag([*[mm_per_unit(header.raw)] * 3, 1.0]) @ header.raw.get_qform()
        distance = corner_shift(second, header.affine, header.shape)[1]
    except (ValueError, HeaderDataError):  # no quaternion, or no handedness in pixdim[0]
        distance = np.inf
    if distance <= VISIBLE_MM:
        return []
    where = f"puts it up to {distance:.0f} mm elsewhere" if np.isfinite(distance) else "is not usable"
    return [f"its qform {where}: the sform counts"]


def _unit(raw: Any) -> str:
    try:
        return str(raw.get_xyzt_units()[0])
    except KeyError:  # a code that NIfTI does not define
        return "unknown"


def mm_per_unit(raw: Any) -> float:
    """Return how many mm the unit of a header's voxel sizes has; 1 where it states none."""
    return _MM_PER_UNIT.get(_unit(raw), 1.0)


def _shown(values: Any) -> str:
    return "x".join(str(value) for value in values)
