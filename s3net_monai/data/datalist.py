"""The MONAI datalist: what `prepare` and `phantom` write, and how a bundle reads it or a plain folder of images."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3net_monai.utils.errors import DataError

SECTIONS = ("training", "validation", "test")
UNLABELED = "unlabeled"
_ALL_SECTIONS = (*SECTIONS, UNLABELED)
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".bmp")
LABEL_FOLDERS = ("labels", "masks")
RESULT = re.compile(r"_seg\.(nii|nii\.gz|png|dcm|seg\.nrrd)$")


@dataclass(frozen=True)
class Case:
    """One image, or one DICOM series as a folder or a list of files, with its mask where there is one.

    `patient` decides the split and is never written; `split` is one of `SECTIONS`.
    """

    case_id: str
    patient: str
    split: str
    image: Path | list[Path]
    label: Path | None = None


def write_datalist(folder: Path, name: str, description: str, modality: str, cases: Iterable[Case]) -> Path:
    """Write `folder`/datalist.json and return its path.

    Paths below `folder` are written relative to it, so that the folder can be moved as a whole; others are absolute.
    """
    from s3net_monai.utils.atomic import atomic_path

    folder.mkdir(parents=True, exist_ok=True)
    sections: dict[str, list[dict[str, Any]]] = {section: [] for section in SECTIONS}
    for case in sorted(cases, key=lambda case: case.case_id):
        image = case.image
        entry: dict[str, Any] = {"case_id": case.case_id}
        entry["image"] = [_shown(p, folder) for p in image] if isinstance(image, list) else _shown(image, folder)
        if case.label is not None:
            entry["label"] = _shown(case.label, folder)
        sections[case.split].append(entry)
    path = folder / "datalist.json"
    with atomic_path(path) as temporary:
        content = {"name": name, "description": description, "modality": modality, **sections}
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def load_datalist(path: str | os.PathLike[str], section: str, labels: bool = False) -> list[dict[str, Any]]:
    """Cases of a section as dictionaries with "image", "case_id" and, with `labels`, "label"; all paths absolute.

    `path` is a datalist.json, a folder with one, or a plain folder of images (NIfTI, PNG, JPEG, BMP, or folders of
    DICOM files, one case each). A plain folder has no sections: whichever is asked for, all its images are the answer.
    Where it holds images/ beside labels/ or masks/, only images/ is read; masks of an earlier run, <case>_seg.*, are
    passed over. `section` is "training", "validation", "test", "unlabeled", or "all" for the four together. Labels are
    left out by default, so that label-free training never sees the path of a mask. A validation section may be empty,
    since small sets have none; another empty section is an error.

    Raises DataError where nothing is found, naming what was looked for, and for files that are not there: a run that
    meets them after an hour has lost it.
    """
    if section not in (*_ALL_SECTIONS, "all"):
        raise DataError(f"section {section!r} of a datalist, expected one of {', '.join(_ALL_SECTIONS)}, all")
    location = Path(path).absolute()
    if location.is_dir() and not (location / "datalist.json").is_file():
        return _list_images(location)
    sections = load_sections(location, labels)
    entries = [entry for name in (_ALL_SECTIONS if section == "all" else (section,)) for entry in sections[name]]
    if not entries and section != "validation":
        counts = ", ".join(f"{name} {len(sections[name])}" for name in _ALL_SECTIONS)
        raise DataError(f"{_file(location)}: section {section} is empty (found {counts}); choose another section")
    _check_files(entries, location)
    return entries


def _check_files(cases: Iterable[dict[str, Any]], source: str | os.PathLike[str]) -> None:
    """Raise DataError where images or labels of these cases are not there; `source` is where they are listed."""
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
            f"{_file(Path(source))}: {name} names {file}, which is not there{more}; paths are relative to the datalist"
        )


def load_sections(path: str | os.PathLike[str], labels: bool = False) -> dict[str, list[dict[str, Any]]]:
    """The cases of every section of a datalist.json, as `load_datalist` gives them, and of the section "unlabeled".

    `path` is the file or its folder. A section that the file lacks is empty. "unlabeled" is for cases beside a
    partly labeled training section; all images of a plain folder are in it.

    Raises DataError where there is no such file, or one that is no datalist, for a folder without images, a section of
    another name, an entry without "image" and "case_id", and a case that stands there twice.
    """
    location = Path(path).absolute()
    if location.is_dir() and not (location / "datalist.json").is_file():
        return {**{name: [] for name in SECTIONS}, UNLABELED: _list_images(location)}
    file = _file(location)
    content = _read(file)
    _check_entries(content, file)
    return {name: [_absolute(entry, file.parent, labels) for entry in content.get(name, [])] for name in _ALL_SECTIONS}


def case_name(path: Path) -> str:
    """Case identifier of an image: its path, relative to the data folder, without the suffix of the format."""
    text = path.as_posix()
    suffix = next((s for s in IMAGE_SUFFIXES if text.lower().endswith(s)), "")
    return text[: len(text) - len(suffix)].replace("/", "_").replace(" ", "_")


def _file(location: Path) -> Path:
    return location / "datalist.json" if location.is_dir() else location


def _shown(path: Path, folder: Path) -> str:
    path, folder = path.absolute(), folder.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise DataError(f"{file}: no such file or folder; give a datalist.json, or a folder of images")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file}: not JSON ({error}), expected a datalist as `s3net prepare` writes") from error
    if not isinstance(content, dict) or not any(name in content for name in _ALL_SECTIONS):
        raise DataError(
            f"{file}: none of the sections {', '.join(_ALL_SECTIONS)}, expected a datalist; see `s3net prepare`"
        )
    return content


def _check_entries(content: dict[str, Any], file: Path) -> None:
    """Refuse what would be passed over or counted twice: a set of images that nobody reads is noticed by nobody."""
    seen: dict[str, str] = {}
    for section, entries in content.items():
        if section not in _ALL_SECTIONS:
            if isinstance(entries, list) and any(isinstance(entry, dict) and "image" in entry for entry in entries):
                known = ", ".join(_ALL_SECTIONS)
                raise DataError(f"{file}: cases in a section {section!r}, expected one of {known}; rename it")
            continue
        if not isinstance(entries, list):
            raise DataError(f"{file}: section {section} is {type(entries).__name__}, expected a list of cases")
        for number, entry in enumerate(entries, 1):
            place = f"{file}: entry {number} of {section}"
            if not isinstance(entry, dict):
                raise DataError(f'{place} is {entry!r}, expected {{"case_id": ..., "image": ...}}; write it anew')
            _check_entry(entry, place)
            name = entry["case_id"]
            if name in seen:
                raise DataError(f"{place}: case_id {name!r} stands in {seen[name]} already; give each case one entry")
            seen[name] = section


def _check_entry(entry: dict[str, Any], place: str) -> None:
    if not isinstance(entry.get("case_id"), str):
        raise DataError(f'{place} has the "case_id" {entry.get("case_id")!r}, expected text; write it anew')
    for key in ("image", "label"):
        value = entry.get(key, "" if key == "label" else None)
        files = value if key == "image" and isinstance(value, list) and value else [value]
        if not all(isinstance(name, str) for name in files):
            raise DataError(f'{place} has the "{key}" {value!r}, expected a path; write it anew')


def _absolute(entry: dict[str, Any], folder: Path, labels: bool) -> dict[str, Any]:
    image = entry["image"]
    result: dict[str, Any] = {"case_id": entry["case_id"]}
    result["image"] = [str(folder / p) for p in image] if isinstance(image, list) else str(folder / image)
    if labels and "label" in entry:
        result["label"] = str(folder / entry["label"])
    return result


def _has_dicom(files: list[Path]) -> bool:
    if not files:
        return False
    # Importing io brings MONAI and pydicom, which listing pictures should not wait for.
    from s3net_monai.io.dicom.files import looks_like_dicom

    return any(looks_like_dicom(file) for file in files)


def _list_images(folder: Path) -> list[dict[str, Any]]:
    root = folder
    if (folder / "images").is_dir() and any((folder / name).is_dir() for name in LABEL_FOLDERS):
        root = folder / "images"
    found: dict[str, str] = {}
    for parent, folders, names in os.walk(root):
        folders.sort()
        here = Path(parent)
        visible = [name for name in sorted(names) if not name.startswith(".") and not RESULT.search(name)]
        images = [here / name for name in visible if name.lower().endswith(IMAGE_SUFFIXES)]
        if _has_dicom([here / name for name in visible if not name.lower().endswith(IMAGE_SUFFIXES)]):
            images.append(here)
        for image in images:
            name = case_name(image.relative_to(root)) if image != root else root.name
            # a.png beside a.jpg: two images must not share the name of their results.
            unique = name if name not in found else f"{name}_{image.suffix.lstrip('.')}"
            found[unique] = str(image)
    if not found:
        raise DataError(
            f"{folder}: no image found, looked below it for {', '.join(IMAGE_SUFFIXES)}, DICOM files and a "
            "datalist.json; give the folder that holds the images"
        )
    return [{"case_id": name, "image": path} for name, path in sorted(found.items())]
