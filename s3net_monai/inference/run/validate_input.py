"""Checks of an input before the network sees it, and one-line reasons for the errors after them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from s3net_monai.file_formats import IMAGE_2D_SUFFIXES
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.run.memory_need import check_memory
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.dicom.geometry import Irregularity
from s3net_monai.io.dicom.header import read_integer
from s3net_monai.io.nifti_header import read_nifti_header
from s3net_monai.io.open_image_2d import check_image_2d, open_image_2d
from s3net_monai.io.volume_header import is_volume, read_volume_header
from s3net_monai.tasks import Task
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.messages import causes, one_line
from s3net_monai.utils.reasons import error_lines, in_words, is_out_of_memory

MAX_REASON = 400  # characters


def check_input(case: Case, task: Task) -> None:
    """Refuse what the task cannot take or what would expand beyond ``io.limits`` or memory, from the header alone.

    All else of DICOM is checked by discovery and by its readers.

    Args:
        case: the input.
        task: 2-D tasks take 2-D images, 3-D tasks take volumes and single slices as 2-D images. A series is taken only
            where the task reads DICOM.

    Raises:
        CaseError: naming the file, what was found and what is expected.
    """
    if case.kind == "dicom_series" and not task.reads_dicom_series:
        read_header(case.image[0])  # discovery also calls files a series that are too damaged to be sorted
        raise CaseError(_unsuitable(case, "a DICOM series", task))
    if case.kind == "dicom_vl_image" and task.dimensions != 2:
        raise CaseError(_unsuitable(case, "a DICOM VL image", task))
    shape = check_header(case, [Irregularity.TILT])  # whether a shear is repaired the reader knows
    if case.kind == "volume" and task.dimensions != 3:
        raise CaseError(_unsuitable(case, f"a volume of {_sizes(shape)}", task))
    if case.kind in ("dicom_series", "dicom_vl_image"):
        shape = _dicom_shape(case)
    check_memory(case.input.name, shape, len(task.labels))


def _dicom_shape(case: Case) -> tuple[int, ...]:
    """Return the columns, rows and images of DICOM, as its first file states them; empty where it does not."""
    try:
        header = read_header(case.image[0])
        sizes = read_integer(header, "Columns", 0), read_integer(header, "Rows", 0)
        frames = read_integer(header, "NumberOfFrames", 1)
    except CaseError:  # the reader says what is wrong
        return ()
    return sizes if case.kind == "dicom_vl_image" else (*sizes, frames * len(case.image))


def check_header(case: Case, allow: Sequence[str] = ()) -> tuple[int, ...]:
    """Refuse what is damaged or would expand beyond ``io.limits``, from the header of a volume or a 2-D image alone.

    Args:
        case: the input.
        allow: values of ``Irregularity`` that are no reason to refuse.

    Returns:
        The shape of a volume (X, Y, Z) or of a 2-D image (X, Y); empty for DICOM, which is not checked.

    Raises:
        CaseError: naming the file, what was found and what is expected.
    """
    if case.kind == "unusable":
        raise CaseError(case.problem)
    if case.kind == "image_2d":
        return check_image_2d(case.image[0])
    return _volume_shape(case.image[0], allow) if case.kind == "volume" else ()


def _unsuitable(case: Case, input_kind: str, task: Task) -> str:
    return f"{case.input.name}: {input_kind}, this task expects {task.input_description}"


def _volume_shape(path: Path, allow: Sequence[str]) -> tuple[int, ...]:
    """Return the shape (X, Y, Z) of a volume that has passed every check of its header."""
    if is_volume(path):
        return read_volume_header(path).shape
    shape = read_nifti_header(path, allow).shape
    if len(shape) < 3:
        raise CaseError(f"{path.name}: shape {_sizes(shape)} found, a 3-D volume expected; give slices as PNG")
    return shape


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)


def failure_reason(error: BaseException, case: Case) -> str:
    """Return the reason for any error of a case, as it is: with identifiers and all characters.

    It names the input. It becomes one visible line when identifiers are out (``shown_entry``): half a name, or an
    escaped one, would not be found.
    """
    chain = list(causes(error))
    for link in chain:
        if isinstance(link, CaseError):
            return _with_input_name(str(link), case)
        if is_out_of_memory(link):
            return _with_input_name("not enough memory; close other programs or use --device cpu", case)
    if any("cannot find a suitable reader" in str(link) for link in chain):
        return _with_input_name(_unreadable(case.image[0]), case)
    if _is_damage(chain[-1]):
        return _with_input_name(in_words(chain[-1], "damaged or cut off", "copy the file again", *case.image), case)
    return _with_input_name("; ".join(error_lines(error)), case)


@contextmanager
def as_case_error(case: Case) -> Iterator[None]:
    """Raise any error of the block as a ``CaseError`` with its ``failure_reason``.

    MONAI raises whatever a transform raises, a ``CaseError`` too, as a ``RuntimeError`` that names only the transform.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        raise CaseError(one_line(failure_reason(error, case), limit=MAX_REASON)) from error


def _is_damage(error: BaseException) -> bool:
    """Return whether a compressed stream or a volume ended early or is inconsistent."""
    # Errors of the operating system, such as a full disk, have an errno; those of nibabel and gzip have none.
    # Pillow reads a chunk that ends early by struct.
    return isinstance(error, EOFError | zlib.error | struct.error) or (
        isinstance(error, OSError) and error.errno is None
    )


def _with_input_name(text: str, case: Case) -> str:
    text = " ".join(text.split())
    for folder in sorted({str(path.parent) for path in case.image}, key=len, reverse=True):
        text = text.replace(f"{folder}/", "")  # the file's name suffices, and a folder may have the patient's name
    name = " ".join(case.input.name.split())
    return text if name in text else f"{name}: {text}"


def _unreadable(path: Path) -> str:
    """Return why a file with a sound header cannot be loaded; MONAI's message holds the traceback of every reader."""
    if not path.name.lower().endswith(IMAGE_2D_SUFFIXES):
        return "not readable; convert it to NIfTI"
    try:
        with open_image_2d(path) as image:
            image.load()
    except CaseError as error:
        return str(error)
    except Exception as error:  # Pillow's plugins raise whatever the damage provokes
        return in_words(error, "not readable", "copy the file again", path)
    return "not readable; convert it to PNG"
