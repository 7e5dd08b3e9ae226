"""Images that another library holds in memory, and masks of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import MetaKeys, SpaceKeys

from s3net_monai.io.limits import check_extent, check_pixels, check_voxels
from s3net_monai.io.nifti_header import check_nifti_header
from s3net_monai.io.shear import shear_degrees
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS, is_invertible

KINDS = "a path, a NumPy array, a tensor, a MetaTensor, a SimpleITK image or a nibabel image"
RGB_CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class ArrayImage:
    """An image in memory.

    Attributes:
        array: (X, Y, Z) a volume, (X, Y) a slice, (X, Y, 3) a color image.
        affine: (4, 4) RAS+ in mm, or None where nothing is known of the geometry.
        spacing: (row, column) spacing in mm of a slice or a color image, where it was stated.
        has_channel: whether the original has a leading channel, which its mask gets, too.
        name: of the kind, for messages.
        notes: what a user must know of its position, one line each.
    """

    array: np.ndarray
    affine: np.ndarray | None = None
    spacing: tuple[float, float] | None = None
    has_channel: bool = False
    name: str = "image"
    notes: tuple[str, ...] = ()


def to_array_image(
    image: Any,
    *,
    channels: int,
    affine: np.ndarray | None = None,
    spacing: Sequence[float] | None = None,
) -> ArrayImage:
    """Take the array and the geometry out of an image of another library.

    Args:
        image: a NumPy array, tensor, MetaTensor, SimpleITK image or nibabel image.
        channels: of the network: 3 for color images, 1 for volumes and slices.
        affine: geometry of an array or tensor that has none.
        spacing: mm per axis in place of ``affine``; also of a color image, which has no affine.

    Raises:
        CaseError: for an unknown kind, an impossible shape or data type, or a geometry that is missing, given twice or
            not invertible.
    """
    name = type(image).__name__
    notes: tuple[str, ...] = ()
    try:
        affine = None if affine is None else np.asarray(torch.as_tensor(affine).detach().cpu(), dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CaseError(f"{name}: its affine is not a (4, 4) matrix of numbers; give RAS+ in mm") from error
    if isinstance(image, torch.Tensor):
        array, stated = _tensor_values(image, name), None
        if isinstance(image, MetaTensor):
            stated = np.asarray(image.affine, dtype=np.float64)
            if image.meta.get(MetaKeys.SPACE) == SpaceKeys.LPS:
                stated = LPS_TO_RAS @ stated
        array, has_channel = _without_channel(array, channels)
    elif isinstance(image, np.ndarray):
        array, stated, has_channel = image, None, False
    elif _is_from("SimpleITK", image):
        array, stated = _read_simpleitk(image, name, channels)
        has_channel = False
    elif _is_from("nibabel", image) and hasattr(image, "dataobj"):
        array, stated, notes = _read_nibabel(image, name)
        has_channel = False
    else:
        raise CaseError(f"{name}: not a known kind of image, expected {KINDS}")
    if channels == RGB_CHANNELS:
        if affine is not None:
            raise CaseError(f"{name}: a color image has no affine; give spacing, the size of a pixel in mm")
        array, geometry = _color(array, name), None
    else:
        if stated is not None and (affine is not None or spacing is not None):
            raise CaseError(f"{name}: it states its own geometry; leave affine and spacing out")
        geometry = _geometry(array, name, stated if stated is not None else affine, spacing)
    pixel = None
    if channels == RGB_CHANNELS and spacing is not None:
        columns, rows = _checked_spacing(spacing, 2, name)
        pixel = (float(rows), float(columns))
    elif array.ndim == 2 and geometry is not None:
        columns, rows = np.linalg.norm(geometry[:3, :2], axis=0)
        pixel = (float(rows), float(columns))
    return ArrayImage(array=array, affine=geometry, spacing=pixel, has_channel=has_channel, name=name, notes=notes)


def mask_like(image: Any, mask: np.ndarray, array_image: ArrayImage) -> Any:
    """Return a mask (X, Y[, Z]) as the kind of ``image``, with its geometry.

    Args:
        image: what ``to_array_image`` was given.
        mask: uint8 label values on its grid.
        array_image: what it gave.
    """
    if isinstance(image, torch.Tensor):
        values = torch.from_numpy(mask)
        values = values[None] if array_image.has_channel else values
        return MetaTensor(values, affine=image.affine) if isinstance(image, MetaTensor) else values
    if _is_from("SimpleITK", image):
        import SimpleITK

        itk_mask = SimpleITK.GetImageFromArray(mask.T)
        itk_mask.CopyInformation(image)
        return itk_mask
    if _is_from("nibabel", image):
        import nibabel

        mask = mask.reshape(image.shape) if mask.size == np.prod(image.shape) else mask  # last axes of length 1
        if not isinstance(image, nibabel.Nifti1Image):  # Nifti2Image is one, too
            return nibabel.Nifti1Image(mask, image.affine, dtype=np.uint8)
        header = image.header.copy()
        # The scale, the window and the meaning of the image are not those of its mask.
        header["scl_slope"], header["scl_inter"], header["cal_max"], header["cal_min"] = np.nan, np.nan, 0, 0
        header.set_intent("none")
        return type(image)(mask, image.affine, header, dtype=np.uint8)
    return mask


def _is_from(package: str, image: Any) -> bool:
    return any(kind.__module__.partition(".")[0] == package for kind in type(image).__mro__)


def _without_channel(array: np.ndarray, channels: int) -> tuple[np.ndarray, bool]:
    """Return a tensor's values without a leading channel axis, and whether there was one."""
    if channels == RGB_CHANNELS:
        if array.ndim == 3 and array.shape[0] == 1 and array.shape[2] != RGB_CHANNELS:  # a gray image
            return array[0], True
        if array.ndim == 3 and array.shape[0] == RGB_CHANNELS and array.shape[2] != RGB_CHANNELS:
            return np.moveaxis(array, 0, -1), True
        return array, False
    if array.ndim in (3, 4) and array.shape[0] == 1:
        return array[0], True
    return array, False


def _tensor_values(image: torch.Tensor, name: str) -> np.ndarray:
    tensor = image.as_tensor() if isinstance(image, MetaTensor) else image
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise CaseError(f"{name}: a sparse or quantized tensor found, a dense one expected; convert it")
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()


def _read_nibabel(image: Any, name: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Array, without trailing axes of length 1, RAS+ affine (4, 4) in mm and notes of a nibabel image."""
    affine = np.asarray(image.affine, dtype=np.float64)
    notes: tuple[str, ...] = ()
    if hasattr(image.header, "get_xyzt_units") and len(image.shape) >= 3:
        if is_invertible(affine):
            _check_rectangular(affine, name)
        header = check_nifti_header(name, image.header, image.shape, affine)
        affine, notes = header.affine, header.notes
    array = np.asanyarray(image.dataobj)
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return array, affine, notes


def _read_simpleitk(image: Any, name: str, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Array (X, Y[, Z]) or (X, Y, 3), and the RAS+ affine (4, 4) in mm, of a SimpleITK image."""
    import SimpleITK

    dims, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if channels == RGB_CHANNELS and dims != 2:
        raise CaseError(f"{name}: {dims} dimensions found, a 2-D color image expected")
    if channels != RGB_CHANNELS and components != 1:
        raise CaseError(f"{name}: {components} components per pixel found, one expected; give the image itself")
    array = SimpleITK.GetArrayFromImage(image)  # (..., Y, X), channels last
    array = array.transpose(*range(dims - 1, -1, -1), *range(dims, array.ndim))
    affine = np.eye(4)
    affine[:dims, :dims] = np.array(image.GetDirection()).reshape(dims, dims) * np.array(image.GetSpacing())
    affine[:dims, 3] = image.GetOrigin()
    return array, LPS_TO_RAS @ affine


def _color(array: np.ndarray, name: str) -> np.ndarray:
    """Values 0 to 255 as float32, (X, Y, 3), of a color or gray image."""
    if array.ndim == 2:
        array = np.repeat(array[..., None], RGB_CHANNELS, axis=2)
    if array.ndim != 3 or array.shape[2] != RGB_CHANNELS or 0 in array.shape:
        raise CaseError(f"{name}: shape {_shown(array)} found, a color image (X, Y, 3) expected")
    check_pixels(name, array.shape[0], array.shape[1])
    values = _as_float(array, name)
    finite = values[np.isfinite(values)]  # the bundle fills the others
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    if not (low >= 0 and high <= 255):
        raise CaseError(
            f"{name}: values from {low:.4g} to {high:.4g} found, 0 to 255 (or 0 to 1) expected; rescale them"
        )
    return values * 255 if high <= 1 and array.dtype.kind == "f" else values


def _geometry(
    array: np.ndarray, name: str, affine: np.ndarray | None, spacing: Sequence[float] | None
) -> np.ndarray | None:
    """RAS+ affine (4, 4) of a volume, or of a slice whose size is stated; None for a slice of unknown size."""
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise CaseError(f"{name}: shape {_shown(array)} found, a volume (X, Y, Z) or a slice (X, Y) expected")
    if array.ndim == 3 and array.shape[2] == RGB_CHANNELS and array.dtype == np.uint8:
        raise CaseError(f"{name}: shape {_shown(array)} of 8 bits looks like a color image, one channel expected")
    check_voxels(name, array.shape)
    if affine is not None and spacing is not None:
        raise CaseError(f"{name}: affine and spacing were both given; give one of them")
    if spacing is not None:
        steps = _checked_spacing(spacing, array.ndim, name)
        # A slice is shown from below, with the patient's left on the right: its axes point left and posterior.
        affine = np.diag([*(steps if array.ndim == 3 else -steps), *[1.0] * (4 - array.ndim)])
    if affine is None:
        if array.ndim == 2:
            return None
        raise CaseError(f"{name}: a volume without a geometry; give affine (RAS+, mm) or spacing (mm per axis)")
    affine = np.asarray(affine, dtype=np.float64)
    regular = affine.shape == (4, 4) and np.array_equal(affine[3], [0, 0, 0, 1])
    if not regular or not is_invertible(affine):
        raise CaseError(f"{name}: its affine is not an invertible (4, 4) matrix; give RAS+ in mm")
    _check_rectangular(affine, name)
    check_extent(name, (*array.shape, 1)[:3], affine)
    return affine


def _check_rectangular(affine: np.ndarray, name: str) -> None:
    """Refuse a shear, which is repaired in files alone: a mask must have the grid of the image that was given."""
    if angle := shear_degrees(affine):
        raise CaseError(
            f"{name}: axes sheared by {angle:.1f} degrees found, a rectangular grid expected; resample it, or save it "
            'and give its path to a bundle loaded with allow="tilt"'
        )


def _checked_spacing(spacing: Sequence[float], dimensions: int, name: str) -> np.ndarray:
    try:
        steps = np.asarray(spacing, dtype=np.float64)
    except (TypeError, ValueError):
        steps = np.empty(0)
    if steps.shape != (dimensions,) or not (np.isfinite(steps).all() and (steps > 0).all()):
        raise CaseError(f"{name}: spacing {spacing} found, {dimensions} numbers above 0 in mm expected")
    return steps


def channel_first(image: ArrayImage) -> MetaTensor:
    """Return the image as a bundle's reading steps would: (C, X, Y[, Z]) float32 with MONAI's metadata."""
    values = _as_float(image.array, image.name)
    color = values.ndim == 3 and image.affine is None
    values = np.moveaxis(values, -1, 0) if color else values[None]
    meta: dict[str, Any] = {"spatial_shape": np.asarray(values.shape[1:]), "original_channel_dim": float("nan")}
    if image.spacing is not None:
        meta["spacing"] = image.spacing
    if image.notes:
        meta["notes"] = list(image.notes)
    if image.affine is None:
        return MetaTensor(torch.from_numpy(np.ascontiguousarray(values)), meta=meta)
    affine = torch.from_numpy(image.affine)
    meta["original_affine"] = affine.clone()
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(values)), affine=affine, meta=meta)


def _as_float(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        raise CaseError(f"{name}: values of type {array.dtype} found, numbers expected; give the image itself")
    return np.array(array, dtype=np.float32)  # a copy, since the caller's may be read-only


def _shown(array: np.ndarray) -> str:
    return "x".join(str(size) for size in array.shape) or "()"
