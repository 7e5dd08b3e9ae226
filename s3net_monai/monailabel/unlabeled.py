"""The images that lie beside the corrected ones and have no label yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s3net_monai.inference.discovery.cases import Case, Kind
from s3net_monai.inference.discovery.find_cases import PICTURE_SUFFIXES, SEGMENTATION_SUFFIX, VOLUME_SUFFIXES
from s3net_monai.inference.run.validate_input import check_header
from s3net_monai.io import CaseError

logger = logging.getLogger(__name__)


Cases = Sequence[Mapping[str, Any]]


def images_beside(cases: Cases, most: int, apart: Cases = ()) -> list[dict[str, str]]:
    """Images in the folders of the cases' images that are no case themselves, as ``{"image": path}``.

    MONAI Label hands a training the pairs of image and label alone; its stores keep all images of a study list in one
    folder, and labels in folders below, which are not looked at. Pictures are found beside pictures and volumes beside
    volumes; what its header tells to be no single volume or picture (a cine of all phases, a damaged file) is left out,
    since one such image would end the training.

    Args:
        cases: each with the path of a file under "image".
        most: at most so many, evenly taken from the sorted names.
        apart: cases to be left out, such as those that the training is to be judged by.
    """
    labeled = {Path(case["image"]).absolute() for case in cases}
    known = labeled | {Path(case["image"]).absolute() for case in apart}
    suffixes = tuple(suffix for path in labeled for suffix in _suffixes_like(path))
    found = sorted(
        path
        for folder in {path.parent for path in labeled}
        for path in folder.iterdir()
        if path.name.lower().endswith(suffixes)
        and not path.name.lower().endswith(SEGMENTATION_SUFFIX)
        and path not in known
        and path.is_file()
    )
    return [{"image": str(path)} for path in _evenly(found, most) if _is_sound(path)]


def unlabeled_images_beside(cases: Cases, most: int, apart: Cases = ()) -> list[dict[str, str]]:
    """As ``images_beside``; where all have a label, the cases' own images, which then stand for unlabeled ones."""
    labeled = sorted({Path(case["image"]).absolute() for case in cases})
    return images_beside(cases, most, apart) or [{"image": str(path)} for path in _evenly(labeled, most)]


def _suffixes_like(path: Path) -> tuple[str, ...]:
    return PICTURE_SUFFIXES if path.name.lower().endswith(PICTURE_SUFFIXES) else VOLUME_SUFFIXES


def _evenly(paths: Sequence[Path], most: int) -> Sequence[Path]:
    return paths[:: max(1, -(-len(paths) // most))]


def _is_sound(path: Path) -> bool:
    kind: Kind = "picture" if _suffixes_like(path) == PICTURE_SUFFIXES else "volume"
    try:
        check_header(Case(path.name, path, (path,), kind))
    except CaseError as error:
        logger.warning("not trained on: %s", error)
        return False
    return True
