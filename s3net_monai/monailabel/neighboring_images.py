"""Unlabeled images in the folders of labeled ones, to train on together with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from s3net_monai.data.label_names import find_labels, is_result
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES, VOLUME_SUFFIXES
from s3net_monai.inference.discovery.cases import Case, Kind
from s3net_monai.inference.run.validate_input import check_header
from s3net_monai.io import CaseError
from s3net_monai.utils.printing import get_logger

logger = get_logger(__name__)


Cases = Sequence[Mapping[str, Any]]


def neighboring_images(cases: Cases, max_count: int, excluded: Cases = ()) -> list[dict[str, str]]:
    """Return unlabeled images from the folders of the cases' images, as ``{"image": path}``.

    MONAI Label passes only pairs of image and label to a training. Its datastores keep all images of a study list in
    one folder, and labels in subfolders, which are not searched. Next to 2-D images only 2-D images are found, next to
    volumes only volumes, and no file that has a label's name beside its image. A file whose header does not describe a
    single 2-D image or volume (a cine series with all phases, a damaged file) is left out, since it would stop the
    training.

    Args:
        cases: labeled cases, each with the path of a file under "image".
        max_count: maximum number of images; if there are more, they are sampled evenly from the sorted names.
        excluded: cases to leave out, such as those for validation.
    """
    labeled = {Path(case["image"]).absolute() for case in cases}
    known_cases = labeled | {Path(case["image"]).absolute() for case in excluded}
    suffixes = tuple(suffix for path in labeled for suffix in _suffixes_like(path))
    unlabeled = sorted(
        path
        for folder in {path.parent for path in labeled}
        for path in _without_labels([p for p in folder.iterdir() if p.name.lower().endswith(suffixes)])
        if path not in known_cases and path.is_file()
    )
    return [{"image": str(path)} for path in _sample_evenly(unlabeled, max_count) if _is_readable(path)]


def neighboring_or_own_images(cases: Cases, max_count: int, excluded: Cases = ()) -> list[dict[str, str]]:
    """Return ``neighboring_images``, or the cases' own images if there are none, to use as unlabeled images."""
    own_images = sorted({Path(case["image"]).absolute() for case in cases})
    neighbors = neighboring_images(cases, max_count, excluded)
    return neighbors or [{"image": str(path)} for path in _sample_evenly(own_images, max_count)]


def _without_labels(paths: Sequence[Path]) -> list[Path]:
    images = {PurePath(path.name): path for path in paths if not is_result(path.name)}
    labels = find_labels(images)
    return [path for name, path in images.items() if name not in labels]


def _suffixes_like(path: Path) -> tuple[str, ...]:
    return IMAGE_2D_SUFFIXES if path.name.lower().endswith(IMAGE_2D_SUFFIXES) else VOLUME_SUFFIXES


def _sample_evenly(paths: Sequence[Path], max_count: int) -> Sequence[Path]:
    return paths[:: max(1, -(-len(paths) // max_count))]


def _is_readable(path: Path) -> bool:
    kind: Kind = "image_2d" if _suffixes_like(path) == IMAGE_2D_SUFFIXES else "volume"
    try:
        check_header(Case(case_id=path.name, input=path, image=(path,), kind=kind))
    except CaseError as error:
        logger.warning("not used in training: %s", error)
        return False
    return True
