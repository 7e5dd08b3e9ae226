"""The images that lie beside the corrected ones and have no label yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def unlabelled_beside(cases: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, str]]:
    """Images in the folders of the cases' images that are no case themselves, as ``{"image": path}``.

    MONAI Label hands a training the pairs of image and label alone; its stores keep all images of a study list in one
    folder, and labels in folders below, which are not looked at. Where every image has a label, the answer is the
    cases' own images, which then stand for unlabelled ones.

    Args:
        cases: each with the path of a file under "image".
        most: at most so many, evenly taken from the sorted names.
    """
    labelled = {Path(case["image"]).absolute() for case in cases}
    found = sorted(
        path
        for folder in {path.parent for path in labelled}
        for path in folder.iterdir()
        if path.name.lower().endswith(_SUFFIXES) and path not in labelled and path.is_file()
    ) or sorted(labelled)
    step = max(1, -(-len(found) // most))
    return [{"image": str(path)} for path in found[::step]]
