"""Small inputs for runs that are disturbed: pictures, volumes, a series of CT and archives, made from a seed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from benchmarks.faults.toy_bundle import toy_bundle

NUM_CASES = 5
SIDE_MM = 20.0  # of a voxel: eight of them have the extent of a chest


def pictures(folder: Path) -> Path:
    """Write color pictures with a bright square into ``folder`` and return it."""
    folder.mkdir(parents=True)
    for index in range(NUM_CASES):
        pixels = np.random.default_rng(index).integers(0, 100, (24, 32, 3), dtype=np.uint8)
        pixels[6:14, 8 : 14 + index, 0] = 220
        Image.fromarray(pixels).save(folder / f"picture{index}.png")
    return folder


def volumes(folder: Path) -> Path:
    """Write CT volumes (8, 8, 8) with air in a block into ``folder`` and return it."""
    folder.mkdir(parents=True)
    for index in range(NUM_CASES):
        hu = np.random.default_rng(index).integers(0, 100, (8, 8, 8)).astype(np.int16)
        hu[2:5, 2 : 4 + index % 4, 2:6] = -900
        nib.save(nib.Nifti1Image(hu, np.diag([SIDE_MM, SIDE_MM, SIDE_MM, 1.0])), folder / f"volume{index}.nii.gz")
    return folder


def archives(folder: Path) -> Path:
    """Write two zip archives with pictures and a picture of its own into ``folder`` and return it."""
    plain = pictures(folder)
    for number, names in enumerate((("picture0", "picture1"), ("picture2", "picture3"))):
        with zipfile.ZipFile(folder / f"archive{number}.zip", "w") as archive:
            for name in names:
                archive.write(plain / f"{name}.png", f"{name}.png")
                (plain / f"{name}.png").unlink()
    return folder


# Formats whose files hold neither a time nor a new UID, so that two runs write the same bytes.
INPUTS: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "pictures": ("skin", pictures, "png"),
    "volumes": ("lung", volumes, "nifti"),
    "archives": ("skin", archives, "png"),
}


def segment_words(kind: str, folder: Path) -> list[str]:
    """Make an input and a bundle in ``folder`` and return the words that segment it; ``--output`` is to be added.

    Args:
        kind: key of ``INPUTS``.
        folder: an empty folder.
    """
    task, make, formats = INPUTS[kind]
    bundle = toy_bundle(folder / "bundle", task)
    return ["segment", str(make(folder / "in")), "--task", task, "--bundle", str(bundle), "--formats", formats]
