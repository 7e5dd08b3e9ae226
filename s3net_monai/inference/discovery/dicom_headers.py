"""DICOM files sorted into series by their headers, each read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from s3net_monai.inference.discovery.identifiers import IDENTIFIER_KEYWORDS, collect
from s3net_monai.inference.discovery.series_selection import Values
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.enhanced import split_frames
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.dicom.header import SliceHeader, is_image
from s3net_monai.io.dicom.uids import CT_IMAGE, VISIBLE_LIGHT

SELECTION_KEYWORDS = ("StudyInstanceUID", "SeriesNumber", "SeriesDescription")
NO_SOURCE = ("SEG", "RTDOSE", "REG", "PR")  # have pixels, but are made from images
AXIS_TOLERANCE = np.cos(np.radians(20.0))  # a slice tilted by more along the body is no axial one

Kind = Literal["volume", "picture", "screen"]


@dataclass
class Series:
    """The images of one series, in the order in which they were found.

    Attributes:
        study: StudyInstanceUID, or the folder where that is missing.
        uid: SeriesInstanceUID; empty where it is missing.
        kind: "volume" for slices, "picture" for photographs, "screen" for color images of other classes.
        damaged: files that cannot be read and lie beside this series alone.
        copies: files that hold an instance already found in another folder.
        identifiers: of the patient; empty where they may be kept.
        attributes: what selection rules see: of the first of the images that are most alike.
        voxels: promised by each file's header.
        frames: of all files; images in one place, such as contrast phases, count once.
    """

    study: str
    uid: str
    kind: Kind
    files: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    identifiers: set[str] = field(default_factory=set)
    attributes: dict[str, Values] = field(default_factory=dict)
    voxels: dict[Path, int] = field(default_factory=dict)
    frames: int = 0

    @property
    def modality(self) -> str:
        """Modality, or empty."""
        return next(iter(self.attributes.get("Modality", ())), "")


@dataclass(frozen=True)
class SortedFiles:
    """``series`` in the order of their first file, ``damaged`` files that belong to none, and other DICOM objects."""

    series: tuple[Series, ...]
    damaged: tuple[Path, ...]
    others: int


def sort_files(paths: Iterable[Path], keywords: Sequence[str] = (), keep_identifiers: bool = False) -> SortedFiles:
    """Group DICOM files by study and series, wherever they lie; ``keywords`` are those of the selection rules.

    An unreadable file stays with the series beside it where its folder holds one alone: nobody can tell that it does
    not belong, so the reader must see and refuse it. A file whose instance was found in another folder is a copy.
    """
    extra = tuple(dict.fromkeys((*SELECTION_KEYWORDS, *IDENTIFIER_KEYWORDS, *keywords)))
    found: dict[tuple[str, str, Kind], Series] = {}
    instances: dict[tuple[int, str], Path] = {}
    likeness: dict[int, list[tuple[Values, ...]]] = {}
    candidates: dict[int, dict[tuple[Values, ...], dict[str, Values]]] = {}
    in_folder: dict[Path, set[int]] = {}
    taken: set[tuple[int, str]] = set()
    damaged: list[Path] = []
    others = 0
    for path in paths:
        try:
            header = read_header(path, extra)
        except CaseError:
            damaged.append(path)
            continue
        if not is_image(header):
            others += 1
            continue
        place = f"folder:{path.parent}"  # stands for a UID that is missing
        study = str(header.get("StudyInstanceUID") or place)
        uid = str(header.get("SeriesInstanceUID") or "")
        kind = _kind(header)
        series = found.setdefault((study, uid or place, kind), Series(study, uid, kind))
        if not keep_identifiers:
            series.identifiers |= collect(header)
        instance = (id(series), str(header.get("SOPInstanceUID") or path))
        if instances.setdefault(instance, path).parent != path.parent:
            series.copies.append(path)
            continue
        series.files.append(path)
        frames, pixels = _size(header)
        position = (id(series), str(header.get("ImagePositionPatient") or path))
        series.frames += frames if frames > 1 or position not in taken else 0
        taken.add(position)
        series.voxels[path] = frames * pixels
        in_folder.setdefault(path.parent, set()).add(id(series))
        attributes = _attributes(header, keywords)
        alike = (attributes["Orientation"], attributes.get("ImageType", ()))
        likeness.setdefault(id(series), []).append(alike)
        candidates.setdefault(id(series), {}).setdefault(alike, attributes)
    for series in found.values():
        if series.files:
            usual = Counter(likeness[id(series)]).most_common(1)[0][0]
            series.attributes = {**candidates[id(series)][usual], "NumberOfSlices": (str(series.frames),)}
    by_id = {id(series): series for series in found.values()}
    alone: list[Path] = []
    for path in damaged:
        neighbors = in_folder.get(path.parent, set())
        if len(neighbors) == 1:
            by_id[next(iter(neighbors))].damaged.append(path)
        else:
            alone.append(path)
    return SortedFiles(tuple(series for series in found.values() if series.files), tuple(alone), others)


def _kind(header: SliceHeader) -> Kind:
    if str(header.get("SOPClassUID", "")).startswith(VISIBLE_LIGHT):
        return "picture"
    return "screen" if header.get("SamplesPerPixel") not in (None, "", 1) else "volume"


def _size(header: SliceHeader) -> tuple[int, int]:
    """Frames, and pixels of each; what is no number is left to the reader."""
    try:
        return int(header.get("NumberOfFrames") or 1), int(header.dataset.Rows) * int(header.dataset.Columns)
    except (TypeError, ValueError):
        return 1, 0


def _attributes(header: SliceHeader, keywords: Sequence[str]) -> dict[str, Values]:
    wanted = {"Modality", "ImageType", "SeriesNumber", "SeriesDescription", *keywords}
    attributes = {keyword: values for keyword in wanted if (values := _texts(header.get(keyword)))}
    if "Modality" not in attributes and str(header.get("SOPClassUID", "")).startswith(CT_IMAGE):
        attributes["Modality"] = ("CT",)
    attributes["Orientation"] = (_orientation(header),)
    return attributes


def _texts(value: Any) -> Values:
    if value is None or isinstance(value, str) or not hasattr(value, "__iter__"):
        value = [value]
    return tuple(text for item in value if item is not None and (text := str(item).strip()))


def _orientation(header: SliceHeader) -> str:
    """Which way the slices lie, from the direction of their normal (PS3.3 section C.7.6.2.1.1)."""
    try:
        cosines = np.array(split_frames(header)[0].dataset.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    except Exception:  # absent or damaged in any way: the reader says so
        return "unknown"
    normal = np.abs(np.cross(*cosines))
    axis = int(normal.argmax())
    return ("sagittal", "coronal", "axial")[axis] if normal[axis] >= AXIS_TOLERANCE else "oblique"
