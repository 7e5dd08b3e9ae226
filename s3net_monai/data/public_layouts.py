"""Data sets in the layouts of the Medical Segmentation Decathlon and of nnU-Net, which a dataset.json describes.

The Decathlon (Antonelli et al., Nature Communications 2022) lists pairs, and test images as plain paths. nnU-Net 1 has
the same list, but writes the channels of ``a.nii.gz`` as ``a_0000.nii.gz``, ``a_0001.nii.gz``. nnU-Net 2 lists nothing,
or has an entry "dataset"; its images are those in imagesTr/ and imagesTs/, its labels those in labelsTr/ and labelsTs/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from s3net_monai.utils.errors import DataError

_FOLDERS = {"training": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")}


def is_nnunet_dataset(content: dict[str, Any]) -> bool:
    """Return whether this is the dataset.json of nnU-Net 2."""
    return "file_ending" in content and ("channel_names" in content or "labels" in content)


def read_dataset(content: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return the content of a dataset.json in the form of a datalist, and that of a datalist unchanged.

    Args:
        content: of ``file``.
        file: the list, whose folder holds the images.

    Raises:
        DataError: if the folders of an nnU-Net data set hold no image.
    """
    if is_nnunet_dataset(content) and "training" not in content:
        return _nnunet(content, file)
    listed = dict(content)
    test = content.get("test")
    if isinstance(test, list):
        listed["test"] = [{"image": entry} if isinstance(entry, str) else entry for entry in test]
    for section in ("training", "test"):
        if isinstance(listed.get(section), list):
            listed[section] = [_with_channels(entry, file.parent) for entry in listed[section]]
    return listed


def _with_channels(entry: Any, folder: Path) -> Any:
    """Replace an image that does not exist by its channels, as nnU-Net 1 stores them."""
    image = entry.get("image") if isinstance(entry, dict) else None
    if not isinstance(image, str) or (folder / image).exists():
        return entry
    path = Path(image)
    stem, dot, suffix = path.name.partition(".")
    channels = _channels(folder / path.parent, stem, f"{dot}{suffix}")
    if not channels:
        return entry
    return {**entry, "case_id": entry.get("case_id", stem), "image": _one_or_all([str(path) for path in channels])}


def _nnunet(content: dict[str, Any], file: Path) -> dict[str, Any]:
    ending = str(content["file_ending"])
    listed: dict[str, list[dict[str, Any]]] = {}
    named = content.get("dataset")
    if isinstance(named, dict):
        listed["training"] = [
            {"case_id": str(case), "image": _one_or_all(entry["images"]), "label": entry["label"]}
            for case, entry in named.items()
        ]
    for section, (images, labels) in _FOLDERS.items():
        if section not in listed:
            listed[section] = _pairs(file.parent, images, labels, ending)
    if not any(listed.values()):
        raise DataError(
            f"{file}: no *_0000{ending} in imagesTr/ or imagesTs/ beside it; expected nnU-Net's raw data, with "
            "channels numbered from 0000"
        )
    return {**{key: value for key, value in content.items() if key not in ("dataset", *listed)}, **listed}


def _pairs(folder: Path, images: str, labels: str, ending: str) -> list[dict[str, Any]]:
    first = re.compile(rf"(.+)_0000{re.escape(ending)}")
    stems = [match[1] for path in _files(folder / images) if (match := first.fullmatch(path.name))]
    entries = []
    for stem in stems:
        channels = _channels(folder / images, stem, ending)
        entry: dict[str, Any] = {"case_id": stem, "image": _one_or_all([str(channel) for channel in channels])}
        label = folder / labels / f"{stem}{ending}"
        if label.is_file():
            entry["label"] = str(label)
        entries.append(entry)
    return entries


def _one_or_all(images: list[str]) -> str | list[str]:
    return images[0] if len(images) == 1 else images


def _channels(folder: Path, stem: str, ending: str) -> list[Path]:
    channel = re.compile(rf"{re.escape(stem)}_\d{{4}}{re.escape(ending)}")
    return [path for path in _files(folder) if channel.fullmatch(path.name)]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
