"""The MONAI datalist: a JSON file that lists the images, labels and splits of a data set.

Where there is no such file, a plain folder of images can be read in its place.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from s3net_monai.data.image_folder import case_id_from_path, list_images
from s3net_monai.data.public_layouts import is_nnunet_dataset, read_dataset
from s3net_monai.file_formats import DATALIST_FILE, DATASET_FILE
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.printing import get_logger
from s3net_monai.utils.reasons import in_words

SECTIONS = ("training", "validation", "test")
UNLABELED = "unlabeled"
ENTRY_KEYS = ("case_id", "image", "label")  # any others are the user's own
_ALL_SECTIONS = (*SECTIONS, UNLABELED)

logger = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class DatalistCase:
    """One entry of a datalist.

    Attributes:
        case_id: unique in the datalist.
        patient: decides the split, and is never written.
        split: one of ``SECTIONS``.
        image: the file, or one DICOM series as a folder or a list of files.
        label: the mask, where there is one.
    """

    case_id: str
    patient: str
    split: str
    image: Path | list[Path]
    label: Path | None = None


def write_datalist(folder: Path, *, name: str, description: str, modality: str, cases: Iterable[DatalistCase]) -> Path:
    """Write datalist.json into ``folder`` and return its path.

    Paths below ``folder`` are written relative to it, so that the folder can be moved as a whole; others are absolute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sections: dict[str, list[dict[str, Any]]] = {section: [] for section in SECTIONS}
    for case in sorted(cases, key=lambda case: case.case_id):
        image = case.image
        entry: dict[str, Any] = {"case_id": case.case_id}
        entry["image"] = (
            [_relative_path(p, folder) for p in image] if isinstance(image, list) else _relative_path(image, folder)
        )
        if case.label is not None:
            entry["label"] = _relative_path(case.label, folder)
        sections[case.split].append(entry)
    path = folder / DATALIST_FILE
    with atomic_path(path) as temporary:
        content = {"name": name, "description": description, "modality": modality, **sections}
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def load_datalist(path: str | os.PathLike[str], section: str, *, labels: bool = False) -> list[dict[str, Any]]:
    """Load the cases of one section.

    Labels are left out by default, so that label-free training never sees the path of a mask. Files are checked here,
    before a run that would only reach a missing one after an hour.

    Args:
        path: a datalist.json or a folder with one; a dataset.json of the Medical Segmentation Decathlon or nnU-Net or
            its folder; or a plain folder of images (every format of ``file_formats`` but archives, and folders of DICOM
            files, one case each). Labels in a plain folder are recognized by their names (``data.label_names``).
        section: "training", "validation", "test", "unlabeled", or "all" for the four together. A plain folder has no
            sections: any name returns all of its images.
        labels: whether to return the paths of the masks.

    Returns:
        Dictionaries with "image", "case_id" and, on request, "label"; all paths are absolute.

    Raises:
        DataError: if the section is empty, except "validation", since small data sets have none; if a listed file does
            not exist; if a folder holds no image.
    """
    if section not in (*_ALL_SECTIONS, "all"):
        raise DataError(f"section {section!r} of a datalist, expected one of {', '.join(_ALL_SECTIONS)}, all")
    location = Path(path).absolute()
    if _is_plain(location):
        return list_images(location, labels=labels)
    sections = load_sections(location, labels=labels)
    entries = [entry for name in (_ALL_SECTIONS if section == "all" else (section,)) for entry in sections[name]]
    if not entries and section != "validation":
        counts = ", ".join(f"{name} {len(sections[name])}" for name in _ALL_SECTIONS)
        raise DataError(
            f"{_datalist_file(location)}: section {section} is empty (found {counts}); choose another section"
        )
    _check_files(entries, location)
    return entries


def _check_files(cases: Iterable[dict[str, Any]], source: str | os.PathLike[str]) -> None:
    """Refuse images or labels that do not exist; ``source`` lists them."""
    missing = [
        (case["case_id"], file)
        for case in cases
        for key in ("image", "label")
        for file in (case[key] if isinstance(case.get(key), list) else [case.get(key)])
        if file is not None and not os.path.exists(file)
    ]
    if missing:
        name, file = missing[0]
        more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise DataError(
            f"{_datalist_file(Path(source))}: {name} names {file}, which does not exist{more}; "
            "paths are relative to the datalist"
        )


def load_sections(path: str | os.PathLike[str], *, labels: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Load the cases of every section, as ``load_datalist`` returns them, without checking their files.

    Args:
        path: as in ``load_datalist``.
        labels: whether to return the paths of the masks.

    Returns:
        Cases by section: "training", "validation", "test", and "unlabeled" for cases beside a partly labeled training
        section. A section that the file lacks is empty. All images of a plain folder are "unlabeled", but those with a
        label are "training" if labels are requested.

    Raises:
        DataError: if there is no such file, if it is not a datalist, if a folder holds no image, if there are cases in
            an unknown section, if an entry lacks "image", or if a case is listed twice.
    """
    location = Path(path).absolute()
    if _is_plain(location):
        cases = list_images(location, labels=labels)
        labeled = [case for case in cases if "label" in case]
        return {
            **{name: [] for name in SECTIONS},
            "training": labeled,
            UNLABELED: [case for case in cases if "label" not in case],
        }
    file = _datalist_file(location)
    content = _named_entries(read_dataset(_read_json(file), file))
    _check_entries(content, file)
    return {
        name: [_resolve_entry(entry, file.parent, labels) for entry in content.get(name, [])] for name in _ALL_SECTIONS
    }


def _is_plain(location: Path) -> bool:
    """Whether this is a folder without a list of its images."""
    return location.is_dir() and not _datalist_file(location).is_file()


def _datalist_file(location: Path) -> Path:
    if not location.is_dir():
        return location
    files = (location / DATALIST_FILE, location / DATASET_FILE)
    return next((file for file in files if file.is_file()), files[0])


def _relative_path(path: Path, folder: Path) -> str:
    path, folder = path.absolute(), folder.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise DataError(f"{file}: no such file or folder; give a datalist.json, or a folder of images")
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))  # Windows programs begin a file with a BOM
    except (ValueError, RecursionError) as error:  # the second where it is nested too deeply
        expected = "expected a datalist as `s3net prepare` writes it"
        raise DataError(f"{file}: {in_words(error, 'not JSON', expected)}") from error
    if not isinstance(content, dict) or not (
        any(name in content for name in _ALL_SECTIONS) or is_nnunet_dataset(content)
    ):
        raise DataError(
            f"{file}: none of the sections {', '.join(_ALL_SECTIONS)}, expected a datalist; see `s3net prepare`"
        )
    return content


def _named_entries(content: dict[str, Any]) -> dict[str, Any]:
    """Name the entries that have no "case_id" after their images; other lists of MONAI have none either."""
    lists = {name: content[name] for name in _ALL_SECTIONS if isinstance(content.get(name), list)}
    unnamed = [
        Path(entry["image"])
        for entries in lists.values()
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("image"), str) and "case_id" not in entry
    ]
    stems = Counter(case_id_from_path(Path(path.name)) for path in unnamed)
    names = {}
    for path in unnamed:
        stem = case_id_from_path(Path(path.name))
        names[path] = stem if stems[stem] == 1 else case_id_from_path(Path(*path.parts[-2:]))
    return {
        **content,
        **{
            section: [
                {"case_id": names[Path(entry["image"])], **entry}
                if isinstance(entry, dict) and isinstance(entry.get("image"), str) and "case_id" not in entry
                else entry
                for entry in entries
            ]
            for section, entries in lists.items()
        },
    }


def _check_entries(content: dict[str, Any], file: Path) -> None:
    """Refuse cases that would be ignored or counted twice, since nobody would notice."""
    seen: dict[str, str] = {}
    for section, entries in content.items():
        if section not in _ALL_SECTIONS:
            if isinstance(entries, list) and any(isinstance(entry, dict) and "image" in entry for entry in entries):
                names = ", ".join(_ALL_SECTIONS)
                raise DataError(f"{file}: cases in a section {section!r}, expected one of {names}; rename it")
            continue
        if not isinstance(entries, list):
            raise DataError(f"{file}: section {section} is no list, expected a list of cases")
        for number, entry in enumerate(entries, 1):
            position = f"{file}: entry {number} of {section}"
            if not isinstance(entry, dict):
                raise DataError(
                    f'{position} is {entry!r}, expected {{"case_id": ..., "image": ...}}; rewrite the entry'
                )
            _check_entry(entry, position)
            name = entry["case_id"]
            if name in seen:
                raise DataError(f"{position}: case_id {name!r} is already in {seen[name]}; give each case one entry")
            seen[name] = section
    labels = Counter(
        entry["label"] for name in _ALL_SECTIONS for entry in content.get(name, []) if entry.get("label") is not None
    )
    if shared := [label for label, count in labels.items() if count > 1]:
        logger.warning("%s: %d labels belong to several cases each, the first is %s", file.name, len(shared), shared[0])


def _check_entry(entry: dict[str, Any], position: str) -> None:
    for key in entry:
        if key not in ENTRY_KEYS and (meant := get_close_matches(key, ENTRY_KEYS, n=1, cutoff=0.75)):
            raise DataError(f'{position} has the key "{key}"; did you mean "{meant[0]}"?')
    if not isinstance(entry.get("case_id"), str):
        raise DataError(f'{position} has the "case_id" {entry.get("case_id")!r}, expected text; rewrite the entry')
    for key in ("image", "label"):
        value = entry.get(key, "" if key == "label" else None)
        files = value if key == "image" and isinstance(value, list) and value else [value]
        if not all(isinstance(name, str) for name in files):
            raise DataError(f'{position} has the "{key}" {value!r}, expected a path; rewrite the entry')


def _resolve_entry(entry: dict[str, Any], folder: Path, labels: bool) -> dict[str, Any]:
    image = entry["image"]
    result: dict[str, Any] = {"case_id": entry["case_id"]}
    result["image"] = [str(folder / p) for p in image] if isinstance(image, list) else str(folder / image)
    if labels and "label" in entry:
        result["label"] = str(folder / entry["label"])
    return result
