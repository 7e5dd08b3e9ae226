"""What can be told to be wrong with an input before the network sees it, and errors in one line afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3net_monai.inference.discovery import Case
from s3net_monai.io import CaseError
from s3net_monai.io.dicom_files import one_line

RGB_CHANNELS = 3


def check_input(case: Case, channels: int) -> None:
    """Refuse what the task cannot take, from the file's header alone.

    Args:
        case: the input. DICOM series are checked by their reader.
        channels: of the bundle's network: 3 takes pictures, 1 takes volumes and single slices.

    Raises:
        CaseError: naming the file, what was found and what is expected.
    """
    if case.kind == "unusable":
        raise CaseError(case.problem)
    if case.kind == "picture":
        _picture_size(case.image[0])
    elif channels == RGB_CHANNELS:
        found = "a DICOM CT series" if case.kind == "dicom" else f"a volume of {_volume_shape(case.image[0])}"
        raise CaseError(f"{case.input.name}: {found}, this task expects 2-D colour pictures (PNG, JPEG, BMP)")
    elif case.kind == "volume":
        _check_volume(case.image[0])


def _picture_size(path: Path) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.size
    except Exception as error:  # Pillow's plugins raise whatever the damage provokes
        raise CaseError(f"{path.name}: not readable as a picture ({_reason(error, path)}); copy it again") from error


def _volume_header(path: Path) -> Any:
    import nibabel

    try:
        return nibabel.load(path)
    except Exception as error:  # damaged headers raise struct, value, EOF and zlib errors
        raise CaseError(f"{path.name}: not readable as NIfTI ({_reason(error, path)}); copy it again") from error


def _volume_shape(path: Path) -> str:
    return "x".join(str(size) for size in _volume_header(path).shape)


def _check_volume(path: Path) -> None:
    image = _volume_header(path)
    shape = "x".join(str(size) for size in image.shape)
    if image.get_data_dtype().fields is not None:
        raise CaseError(f"{path.name}: colour voxels found, one channel expected; give the CT itself")
    if any(size > 1 for size in image.shape[3:]):
        raise CaseError(f"{path.name}: shape {shape} has several channels or frames, one 3-D volume expected; split it")
    if len(image.shape) < 3 or min(image.shape) < 1:
        raise CaseError(f"{path.name}: shape {shape} found, a 3-D volume expected; give slices as PNG")
    affine = np.asarray(image.affine)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise CaseError(f"{path.name}: its affine is not invertible, so voxels have no place; repair the header")


def failure_reason(error: BaseException, case: Case) -> str:
    """One line for the report from whatever a case raised, naming the input."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for link in chain:
        if isinstance(link, CaseError):
            return _named(str(link), case)
        if isinstance(link, MemoryError | torch.OutOfMemoryError) or "not enough memory" in str(link):
            return _named("not enough memory; close other programs or use --device cpu", case)
    if any("cannot find a suitable reader" in str(link) for link in chain):
        return _named(_unreadable(case.image[0]), case)
    return _named(f"{type(chain[-1]).__name__}: {_reason(chain[-1], case.image[0])}", case)


def _named(text: str, case: Case) -> str:
    line = one_line(ValueError(text), limit=400)
    return line if case.input.name in line else f"{case.input.name}: {line}"


def _unreadable(path: Path) -> str:
    """Why a file that has a sound header cannot be loaded; MONAI's own text is every reader's traceback."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            picture.load()
    except Exception as error:
        return f"not readable ({_reason(error, path)}); copy the file again"
    return "not readable; convert it to PNG or NIfTI"


def _reason(error: BaseException, path: Path) -> str:
    # Messages often repeat the whole path; the file's name is enough, and folders may carry a patient's.
    return one_line(error).replace(str(path), path.name)
