"""The one rule for what the file of a label or mask is called, shared by discovery, training and evaluation.

Names compare without case. A name that only ends like that of a label is an image unless something confirms it: its
image beside it, or images beside a folder of labels. So ``patient1_lung.nii.gz`` alone is an image, and beside
``patient1.nii.gz`` it is a label; a folder that holds nothing but such names is a folder of images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePath

from s3net_monai.file_formats import MASK_ENDING, PREVIEW_SUFFIX, SEGMENTATION_SUFFIX, known_suffix
from s3net_monai.utils.errors import DataError

# What a label's name adds to that of its image, in the order in which they are preferred where an image has several.
ENDINGS = (
    *("seg", "segmentation", "segmentations", "lung", "lungs", "lesion", "lesions", "label", "labels", "labelmap"),
    *("mask", "masks", "gt", "groundtruth", "ground_truth", "annotation", "annotations", "roi"),
)
SUPERPIXELS = "superpixels"  # of ISIC: beside an image, and neither an image nor a label
IMAGE_ENDINGS = ("ct", "image", "img", "dermoscopic_image", "0000")  # what a label's name lacks; nnU-Net's channel 0
IMAGE_PREFIXES = ("img", "image", "imaging", "volume", "ct", "scan")
LABEL_PREFIXES = ("mask", "label", "seg", "segmentation", "gt", "labels")
LABEL_WORDS = frozenset(
    {"label", "labels", "mask", "masks", "gt", "groundtruth", "segmentation", "segmentations", "annotation"}
    | {"annotations", "superpixels", "labelstr", "labelsts", "labelsval"}
)
IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs", "imagestr", "imagests", "imagesval", "input"})

_SEPARATED = r"(?P<stem>.+?)[_\-. ]+(?P<mark>{})(?:[_\-. ]?\d{{1,2}})?"
_ENDING = re.compile(_SEPARATED.format("|".join(sorted((*ENDINGS, SUPERPIXELS), key=len, reverse=True))))
_PREFIX = re.compile(rf"(?P<mark>{'|'.join(LABEL_PREFIXES)})(?P<rest>[_\-. ]?\d.*|[_\-. ].+)")
_IMAGE_PREFIX = re.compile(rf"(?:{'|'.join(IMAGE_PREFIXES)})(?P<rest>[_\-. ]?\d.*|[_\-. ].+)")
_SPLITS = {f"{kind}{split}": split for kind in ("images", "labels") for split in ("tr", "ts", "val")}
_NEGATIONS = frozenset({"no", "non", "not", "un", "without"})


@dataclass(frozen=True)
class LabelName:
    """What the name of a label tells.

    Attributes:
        mark: what it is recognized by: "_segmentation", "folder labels".
        keys: names that its image may have, without suffix and in lower case.
    """

    mark: str
    keys: tuple[str, ...]


def is_result(name: str) -> bool:
    """Return whether a file is named like a mask or preview that ``s3net segment`` or 3D Slicer wrote.

    Example:
        >>> [is_result(name) for name in ("a_seg.nii.gz", "a_seg.labelmap.dcm", "a.seg.nrrd", "a_seg.v2.nii.gz")]
        [True, True, True, False]
    """
    stem = _stem(PurePath(name)).removesuffix(".labelmap")
    return stem.endswith(MASK_ENDING) or name.lower().endswith((SEGMENTATION_SUFFIX, PREVIEW_SUFFIX))


def find_labels(files: Iterable[PurePath]) -> dict[PurePath, LabelName]:
    """Return the labels among the images of a folder.

    Args:
        files: images and labels, without the results of earlier runs; paths relative to the folder.

    Example:
        >>> found = find_labels([PurePath("a.jpg"), PurePath("a_Segmentation.png"), PurePath("b_lung.png")])
        >>> {path.name: label.mark for path, label in found.items()}
        {'a_Segmentation.png': '_segmentation'}
    """
    names = {path: _stem(path) for path in files}
    words = {folder: _label_folder(folder) for folder in {path.parent for path in names}}
    outside = [path for path in names if words[path.parent] is None]
    labels, keys = _labels_by_name(outside, names, frozenset())
    searched = _folders_above(path for path in outside if path not in labels)
    inside = [path for path in names if words[path.parent] is not None]
    confirmed = {path.parent for path in inside if _belongs_to_images(path, keys, searched)}
    for path in inside:
        if path.parent in confirmed:
            labels[path] = LabelName(f"folder {words[path.parent]}", (names[path], *_label_keys(names[path])))
    others, _ = _labels_by_name([path for path in inside if path.parent not in confirmed], names, keys)
    return {**labels, **others}


def describe(labels: Iterable[LabelName]) -> str:
    """Return how many labels there are and what they were recognized by: "2 labels by name (_mask, folder gt)"."""
    marks = Counter(label.mark for label in labels)
    return f"{sum(marks.values())} masks or labels by name ({', '.join(sorted(marks))})"


def image_keys(stem: str) -> tuple[str, ...]:
    """Return the names, in lower case, that an image shares with its labels: "a_CT" -> "a_ct", "a"."""
    name = stem.lower()
    keys = [name]
    for ending in IMAGE_ENDINGS:
        if name.endswith(f"_{ending}") and len(name) > len(ending) + 1:
            keys.append(name.removesuffix(f"_{ending}"))
    return (*keys, *(match["rest"].lstrip("_-. ") for key in keys if (match := _IMAGE_PREFIX.fullmatch(key))))


def label_names(stem: str) -> list[str]:
    """Return the names, in lower case and without suffix, that the label of an image may have, preferred ones first."""
    keys = image_keys(stem)
    marked = [f"{key}{separator}{ending}" for key in keys for ending in ENDINGS for separator in "_-"]
    prefixed = [f"{prefix}{joint}{key}" for key in keys for prefix in LABEL_PREFIXES for joint in ("_", "-", "")]
    return [*marked, *prefixed, *keys]


def pair_labels(images: Sequence[PurePath], labels: dict[PurePath, LabelName]) -> dict[PurePath, PurePath]:
    """Return the label of every image that has one: in the nearest folder, and of the preferred name.

    Folders tell patients and parts of a data set apart: ``p2/scan.png`` never gets ``p1/scan_mask.png``. Folders of
    images and labels correspond, as ``images/train`` and ``labels/train``. A label anywhere else is taken if no other
    image could be meant.

    Args:
        images: relative to the folder.
        labels: of the same folder, as ``find_labels`` gives them.

    Raises:
        DataError: if an image has two labels that are equally near, or two images the same one.
    """
    images_of_key = Counter(key for image in images for key in image_keys(_stem(image)))
    by_key: dict[str, list[PurePath]] = {}
    by_place: dict[tuple[str, tuple[str, ...]], list[PurePath]] = {}
    for path, label in labels.items():
        if not _is_superpixels(path):
            place = _place(path.parent)
            for key in dict.fromkeys(label.keys):
                by_key.setdefault(key, []).append(path)
                by_place.setdefault((key, place), []).append(path)
    pairs: dict[PurePath, PurePath] = {}
    for image in images:
        keys = image_keys(_stem(image))
        place = _place(image.parent)
        candidates = {path for key in keys for path in by_place.get((key, place), ())}
        if not candidates and not any(images_of_key[key] > 1 for key in keys if key in by_key):
            candidates = {path for key in keys for path in by_key.get(key, ())}
        ranked = sorted(candidates, key=lambda path: (*_rank(image, path), path))
        if len(ranked) > 1 and _rank(image, ranked[0]) == _rank(image, ranked[1]):
            raise DataError(f"{image}: two labels, {ranked[0]} and {ranked[1]}, one expected; remove one of the two")
        if ranked:
            pairs[image] = ranked[0]
    first_image: dict[PurePath, PurePath] = {}
    for image, path in pairs.items():
        if first_image.setdefault(path, image) != image:
            raise DataError(f"{path}: the label of {first_image[path]} and of {image}; give every image its own")
    return pairs


def _place(folder: PurePath) -> tuple[str, ...]:
    """What a folder says beyond holding images or labels: "p1/images" is "p1", "labelsTr" is "tr"."""
    place = []
    for part in folder.parts:
        words = _words(part)
        if LABEL_WORDS & set(words) or IMAGE_FOLDERS & set(words):
            place += [_SPLITS[word] for word in words if word in _SPLITS]
        elif _ENDING.fullmatch(part.lower()):  # IMD002/IMD002_lesion, as in PH2
            continue
        elif not part.lower().endswith(tuple(f"_{ending}" for ending in IMAGE_ENDINGS)):
            place.append(part.lower())
    return tuple(place)


def _stem(path: PurePath) -> str:
    return path.name[: len(path.name) - len(known_suffix(path.name))].lower()


def _label_folder(folder: PurePath) -> str | None:
    """The word that makes a folder one of labels, by the last of its parts that tells; None for other folders."""
    words = map(_label_word, reversed(folder.parts))
    return next((word for word in words if word is not None), None) or None


@lru_cache(maxsize=65536)  # in a deep tree every folder repeats the names of those above it
def _label_word(part: str) -> str | None:
    """The word that makes a folder of this name one of labels; empty for one of images, None if it tells nothing."""
    words = _words(part)
    found = [word for word in words if word in LABEL_WORDS]
    if (IMAGE_FOLDERS if not found else _NEGATIONS) & set(words):
        return ""
    if found:
        return found[0]
    match = _ENDING.fullmatch(part.lower())  # IMD002_lesion, as in PH2
    return match["mark"] if match else None


def _folders_above(paths: Iterable[PurePath]) -> set[PurePath]:
    folders: set[PurePath] = set()
    for path in paths:
        for parent in path.parents:
            if parent in folders:  # and so are those above it
                break
            folders.add(parent)
    return folders


def _belongs_to_images(path: PurePath, keys: frozenset[str], searched: set[PurePath]) -> bool:
    """Whether a file in a folder with a label's name confirms that the folder goes with the images found elsewhere.

    Args:
        path: of the file.
        keys: of these images.
        searched: the folders above them.
    """
    folder = path.parent.name.lower()
    if not LABEL_WORDS & {word for part in path.parent.parts for word in _words(part)}:
        match = _ENDING.fullmatch(folder)
        return match is not None and match["stem"] in keys
    if folder in LABEL_WORDS and path.parent.parent in searched:
        return True
    name = _stem(path)
    beginnings = [name[: match.start()] for match in re.finditer(r"[_\-. ]", name) if match.start()]
    return any(key in keys for key in (name, *_label_keys(name), *beginnings))


def _words(part: str) -> list[str]:
    return re.split(r"[_\-. ]+", part.lower().replace("ground_truth", "groundtruth"))


def _labels_by_name(
    paths: Sequence[PurePath], names: dict[PurePath, str], known: frozenset[str]
) -> tuple[dict[PurePath, LabelName], frozenset[str]]:
    """Labels whose image is among the files, and the keys of all images.

    Names with fewer endings come first, since a label's image may itself end like a label.
    """
    keys = set(known)
    in_folder: dict[PurePath, list[str]] = {}
    labels: dict[PurePath, LabelName] = {}
    for path in sorted(paths, key=lambda path: (names[path] in LABEL_WORDS, len(_label_keys(names[path])), path)):
        name = names[path]
        candidates = _label_keys(name)
        if name in LABEL_WORDS and path.parent in in_folder:  # imaging.nii.gz and segmentation.nii.gz, as in KiTS
            labels[path] = LabelName(name, tuple(in_folder[path.parent]))
        elif any(key in keys for key in candidates):
            labels[path] = LabelName(_mark(name), candidates)
        else:
            keys.update(image_keys(name))
            in_folder.setdefault(path.parent, []).extend(image_keys(name))
    # b_mask.png, whose image is missing, in a folder where a_mask.png has its image
    marks = {label.mark for label in labels.values()}
    for path in paths:
        name = names[path]
        if path not in labels and _ENDING.fullmatch(name) and _mark(name) in marks:
            labels[path] = LabelName(_mark(name), _label_keys(name))
            keys.difference_update(image_keys(name))
    return labels, frozenset(keys)


def _label_keys(name: str) -> tuple[str, ...]:
    """The names that the image of a label may have: without its ending, without two of them, without its prefix."""
    keys: list[str] = []
    rest = name
    while match := _ENDING.fullmatch(rest):
        rest = match["stem"]
        keys.append(rest)
    if match := _PREFIX.fullmatch(name):
        keys.append(match["rest"].lstrip("_-. "))
    return tuple(keys)


def _mark(name: str) -> str:
    if match := _ENDING.fullmatch(name):
        return f"_{match['mark']}"
    match = _PREFIX.fullmatch(name)
    return f"{match['mark']}_" if match else name


def _is_superpixels(path: PurePath) -> bool:
    return _stem(path).endswith(SUPERPIXELS) or SUPERPIXELS in path.parent.name.lower()


def _rank(image: PurePath, label: PurePath) -> tuple[int, int]:
    """How many folders are between a label and its image, and how unusual its name is."""
    first, second = image.parent.parts, label.parent.parts
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    mark = _mark(_stem(label)).strip("_")
    return len(first) + len(second) - 2 * shared, ENDINGS.index(mark) if mark in ENDINGS else len(ENDINGS)
