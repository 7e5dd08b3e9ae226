"""What can be told to be wrong with an input before the network sees it, and errors in one line afterwards."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.identifiers import redact
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.limits import MAX_NIFTI_OFFSET, MAX_PIXELS, check_capacity, check_pixels, check_voxels
from s3net_monai.io.volume_header import META_SUFFIXES, NRRD_SUFFIXES, read_volume_header
from s3net_monai.utils.messages import one_line

RGB_CHANNELS = 3
# By content, whatever the name says: some of Pillow's other formats start programs.
PICTURE_FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
VOLUMES = {"CT": "a CT volume", "MR": "one phase of MR as NIfTI, NRRD or MetaImage; convert it, as dcm2niix does"}
PICTURES = "2-D color pictures (PNG, JPEG, BMP, TIFF, DICOM photographs)"


def check_input(case: Case, channels: int, modality: str = "CT") -> None:
    """Refuse what the task cannot take or what would expand beyond ``io.limits``, from the file's header alone.

    Args:
        case: the input. DICOM is checked by discovery and by its readers.
        channels: of the bundle's network: 3 takes pictures, 1 takes volumes and single slices.
        modality: of its images. DICOM is read of CT alone: a cine series of MR holds many phases.

    Raises:
        CaseError: naming the file, what was found and what is expected.
    """
    path = case.image[0]
    if case.kind == "unusable":
        raise CaseError(case.problem)
    if case.kind == "picture":
        _check_picture(path)
    elif case.kind == "dicompicture":
        if channels != RGB_CHANNELS:
            raise CaseError(
                f"{case.input.name}: a photograph in DICOM, this task expects {VOLUMES.get(modality, modality)}"
            )
    elif channels == RGB_CHANNELS:
        if case.kind == "dicom":
            read_header(path)  # what is too damaged to be sorted is called a series, too
        found = "a DICOM series" if case.kind == "dicom" else f"a volume of {_sizes(_volume_shape(path))}"
        raise CaseError(f"{case.input.name}: {found}, this task expects {PICTURES}")
    elif case.kind == "dicom" and modality == "MR":
        read_header(path)
        raise CaseError(f"{case.input.name}: a DICOM series, this task expects {VOLUMES[modality]}")
    elif case.kind == "volume":
        _volume_shape(path)


def _check_picture(path: Path) -> None:
    from PIL import Image

    try:
        with Image.open(path, formats=PICTURE_FORMATS) as picture:
            size, pages = picture.size, getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    except Image.DecompressionBombError as error:  # Pillow's own limit, which lies above this one
        raise CaseError(f"{path.name}: beyond the limit of {MAX_PIXELS} pixels; crop or shrink it") from error
    except Exception as error:  # Pillow's plugins raise whatever the damage provokes
        raise CaseError(f"{path.name}: not readable as a picture ({_reason(error, path)}); copy it again") from error
    check_pixels(path.name, *size)
    if pages > 1:
        raise CaseError(f"{path.name}: {pages} pages found, one picture expected; save each page as a file")


def _volume_shape(path: Path) -> tuple[int, ...]:
    """Shape (X, Y, Z) of a volume that has passed every check of its header."""
    if path.suffix.lower() in (*NRRD_SUFFIXES, *META_SUFFIXES):
        return read_volume_header(path).shape
    return _check_nifti(path)


def _check_nifti(path: Path) -> tuple[int, ...]:
    import nibabel

    try:
        offset = _nifti_offset(path)
        # Extensions before the voxels are read as a whole.
        image: Any = nibabel.load(path) if offset <= MAX_NIFTI_OFFSET else None
    except Exception as error:  # damaged headers raise struct, value, EOF and zlib errors
        raise CaseError(f"{path.name}: not readable as NIfTI ({_reason(error, path)}); copy it again") from error
    if image is None:
        raise CaseError(f"{path.name}: voxels begin at byte {offset:.0f}, beyond the limit; save the volume again")
    shape = tuple(int(size) for size in image.shape)
    dtype = image.get_data_dtype()
    if dtype.fields is not None:
        raise CaseError(f"{path.name}: color voxels found, one channel expected; give the image itself")
    if any(size > 1 for size in shape[3:]):
        raise CaseError(
            f"{path.name}: shape {_sizes(shape)} has several channels or frames, one 3-D volume expected; save the one "
            "you want as a file"
        )
    if len(shape) < 3 or min(shape) < 1:
        raise CaseError(f"{path.name}: shape {_sizes(shape)} found, a 3-D volume expected; give slices as PNG")
    check_voxels(path.name, shape)
    needed = math.prod(shape) * dtype.itemsize
    check_capacity(path.name, needed=needed, stored=path.stat().st_size, compressed=path.suffix.lower() == ".gz")
    unit = image.header.get_xyzt_units()[0]
    if unit in ("meter", "micron"):  # no reader of the affine looks at it
        raise CaseError(f"{path.name}: voxel sizes in units of {unit} found, mm expected; save the volume again")
    affine = np.asarray(image.affine)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise CaseError(f"{path.name}: its affine is not invertible, so voxels have no position; repair the header")
    return shape


def _nifti_offset(path: Path) -> float:
    """Where the voxels begin by the header, in bytes of the expanded file."""
    from nibabel import Nifti1Header, Nifti2Header

    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        block = file.read(Nifti2Header.sizeof_hdr)
    size = Nifti2Header.sizeof_hdr
    second = size in (int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big"))
    kind = Nifti2Header if second else Nifti1Header
    return float(kind(block[: kind.sizeof_hdr], check=False)["vox_offset"])


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)


def failure_reason(error: BaseException, case: Case) -> str:
    """One line for the report from whatever a case raised, naming the input and free of its identifiers."""
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
    if _is_damage(chain[-1]):
        return _named(f"damaged or cut off ({_reason(chain[-1], case.image[0])}); copy the file again", case)
    return _named(f"{type(chain[-1]).__name__}: {_reason(chain[-1], case.image[0])}", case)


def _is_damage(error: BaseException) -> bool:
    """Whether a compressed stream or a volume ended early or makes no sense."""
    # What the system refuses, as for a full disk, has a number; what nibabel and gzip find in a file has none.
    return isinstance(error, EOFError | zlib.error) or (isinstance(error, OSError) and error.errno is None)


def _named(text: str, case: Case) -> str:
    text = " ".join(text.split())
    for folder in sorted({str(path.parent) for path in case.image}, key=len, reverse=True):
        text = text.replace(f"{folder}/", "")  # a file's name is enough, and folders may carry a patient's
    if case.input.name not in text:
        text = f"{case.input.name}: {text}"
    return one_line(redact(text, case.identifiers), limit=400)


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
    text = str(error).replace(str(path), path.name) or type(error).__name__
    return one_line(text)
