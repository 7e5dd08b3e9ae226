"""Reading of files with the readers that the network and the evaluation use, and comparison with sound ones."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from monai.utils import MetaKeys

from benchmarks.faults.sound_files import Files, write_files
from s3net_monai.file_formats import ARCHIVE_SUFFIXES, IMAGE_2D_SUFFIXES, META_SUFFIXES, NIFTI_SUFFIXES, NRRD_SUFFIXES
from s3net_monai.io import DicomSeriesReader, DicomVLImageReader, Image2DReader, NiftiReader, VolumeReader, upright_gray
from s3net_monai.io.archive import unpack
from s3net_monai.io.archive_limits import UnpackedTotal
from s3net_monai.io.dicom.dicomdir import DICOMDIR_NAME, read_dicomdir
from s3net_monai.io.label_maps.grid import Grid, on_grid
from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.io.label_maps.label_reader import LabelReader
from s3net_monai.utils.errors import CaseError

MAX_MESSAGE = 1000


@dataclass(frozen=True)
class Image:
    """What a reader returned.

    Attributes:
        array: the voxels or pixels.
        affine: (4, 4), or None of a 2-D image.
        notes: warnings of the reader.
    """

    array: np.ndarray
    affine: np.ndarray | None
    notes: tuple[str, ...]


def read(folder: Path, main: str, *, label: bool = False, grid: Grid | None = None) -> Image:
    """Read the files in a folder.

    Args:
        folder: holds them and nothing else.
        main: the file to give; empty for the whole folder.
        label: whether it is a label.
        grid: of the image of a label, on which it is placed, as in training and evaluation.

    Raises:
        CaseError: if the product refuses them.
    """
    path, name = folder / main, main.lower()
    paths: list[str] | str = str(path)
    reader: Any
    if name.endswith(ARCHIVE_SUFFIXES):
        with tempfile.TemporaryDirectory() as unpacked:
            unpack(path, Path(unpacked) / "content", UnpackedTotal())
            return read(Path(unpacked) / "content" / "study", "")
    if label:
        reader = LabelReader(binary=True)
    elif name.endswith(NIFTI_SUFFIXES):
        reader = NiftiReader()
    elif name.endswith((*NRRD_SUFFIXES, *META_SUFFIXES)):
        reader = VolumeReader()
    elif name.endswith(IMAGE_2D_SUFFIXES):
        reader = Image2DReader(upright_gray)
    elif name == "photo.dcm":
        reader = DicomVLImageReader()
    else:
        reader = DicomSeriesReader()
        if main == DICOMDIR_NAME:
            found = read_dicomdir(path)
            if found.missing or not found.files:  # as the search for cases refuses them
                raise CaseError("files are missing from the disc")
            paths = [str(file) for file in found.files]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array, meta = reader.get_data(reader.read(paths))
    affine, notes = meta.get(MetaKeys.AFFINE), meta.get("notes", ())
    if grid is not None and affine is not None:
        own = LabelMap(array=array, affine=affine, name=main, cropped=meta["cropped"], placed=meta["placed"])
        (array, notes), affine = on_grid(own, grid), grid.affine
    return Image(np.asarray(array), affine, tuple(notes))


def outcome(folder: Path, main: str, files: Files, sound: Image, *, label: bool = False) -> str:
    """Write files, read them, and say what happened.

    Returns:
        "equal", "refused", "warned" (other content, with a note that the sound one has not), "changed" (without), or
        "traceback: " and the error, for any error that is not one line of the product's own.
    """
    write_files(folder, files)
    try:
        grid = Grid(shape=sound.array.shape, affine=sound.affine, name="image")
        image = read(folder, main, label=label, grid=grid if label else None)
    except CaseError as error:
        text = str(error)
        return "refused" if "\n" not in text and len(text) <= MAX_MESSAGE else f"traceback: {text[:200]}"
    except Exception as error:  # which is what is counted
        return f"traceback: {type(error).__name__}: {error}"[:300]
    if same(image, sound):
        return "equal"
    return "warned" if set(image.notes) - set(sound.notes) else "changed"


def _affine(image: Image) -> np.ndarray:
    return np.eye(4) if image.affine is None else np.asarray(image.affine, dtype=np.float64)


def same(first: Image, second: Image) -> bool:
    """Return whether two images have the same voxels at the same places."""
    if first.array.shape != second.array.shape or (first.affine is None) != (second.affine is None):
        return False
    if not np.allclose(_affine(first), _affine(second), atol=1e-4):
        return False
    return bool(np.array_equal(first.array, second.array))
