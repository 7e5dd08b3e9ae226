"""DICOM files grouped into series by their headers, each of which is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from s3net_monai.inference.discovery.header_values import IdentifierCollector
from s3net_monai.inference.discovery.series_selection import Values
from s3net_monai.inference.discovery.spellings import Identifier, repeated_in
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.copies import are_copies
from s3net_monai.io.dicom.enhanced import split_frames
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.dicom.header import SliceHeader, is_image
from s3net_monai.io.dicom.uids import CT_IMAGE, VISIBLE_LIGHT

if TYPE_CHECKING:
    from pydicom import Dataset

SELECTION_KEYWORDS = ("StudyInstanceUID", "SeriesNumber")
DERIVED_MODALITIES = ("SEG", "RTDOSE", "REG", "PR")  # have pixels, but are derived from images
MIN_AXIS_COSINE = np.cos(np.radians(20.0))  # a slice that is tilted by more is not axial, coronal or sagittal

SeriesKind = Literal["volume", "vl_image", "color_capture"]


@dataclass(kw_only=True)
class SeriesFiles:
    """The image files of one series, in the order in which they were discovered.

    Attributes:
        study: StudyInstanceUID, or a substitute for the folder if the UID is missing.
        uid: SeriesInstanceUID; empty if it is missing.
        kind: "volume" for slices, "vl_image" for visible-light images, "color_capture" for color images of other
            SOP classes.
        files: readable files.
        damaged: unreadable files in a folder that contains no other series.
        copies: files whose content was already discovered in another folder; of images that are no slices, in any.
        identifiers: patient identifiers; empty if they may be kept.
        attributes: values for selection rules, from the first image of the largest group with equal orientation and
            image type.
        voxels: voxel count per file, as its header states it.
        frames: frame count of all files; images at the same position, such as contrast phases, count once.
        images: frame count of all files.
    """

    study: str
    uid: str
    kind: SeriesKind
    files: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    identifiers: set[Identifier] = field(default_factory=set)
    attributes: dict[str, Values] = field(default_factory=dict)
    voxels: dict[Path, int] = field(default_factory=dict)
    frames: int = 0
    images: int = 0

    @property
    def modality(self) -> str:
        """Modality, or an empty string if it is missing."""
        return next(iter(self.attributes.get("Modality", ())), "")


@dataclass(frozen=True, kw_only=True)
class SortedFiles:
    """DICOM files by series.

    Attributes:
        series: in the order of their first file.
        damaged: unreadable files that belong to no series.
        non_images: number of DICOM objects that are no images.
        identifiers: those of damaged files and of objects that are no images; empty if they may be kept.
    """

    series: tuple[SeriesFiles, ...]
    damaged: tuple[Path, ...]
    non_images: int
    identifiers: frozenset[Identifier] = frozenset()


def sort_files(
    paths: Iterable[Path],
    keywords: Sequence[str] = (),
    keep_identifiers: bool = False,
    *,
    display: Callable[[Path], Path] = lambda path: path,
) -> SortedFiles:
    """Group DICOM files by study and series, regardless of their folders.

    An unreadable file is attached to the series in its folder if there is exactly one: it may belong to that series,
    so the reader must see and reject it. A file is a copy of an earlier one if both have the same SOPInstanceUID and
    the same data set. Copies in one folder, and files that share the UID only, are left to the reader.

    Args:
        paths: DICOM files.
        keywords: DICOM keywords that the selection rules need.
        keep_identifiers: whether to leave ``SeriesFiles.identifiers`` empty.
        display: maps a path to the one that is shown; the two differ for unpacked archives.
    """
    extra_keywords = tuple(dict.fromkeys((*SELECTION_KEYWORDS, *keywords)))
    collector = IdentifierCollector()
    identifiers: frozenset[Identifier] = frozenset()  # of the current file
    other_identifiers: set[Identifier] = set()

    def collect(dataset: Dataset) -> None:
        nonlocal identifiers
        identifiers = collector.collect(dataset)

    series_by_key: dict[tuple[str, str, SeriesKind], SeriesFiles] = {}
    first_paths: dict[tuple[int, str], Path] = {}
    group_keys: dict[int, list[tuple[Values, ...]]] = {}
    group_attributes: dict[int, dict[tuple[Values, ...], dict[str, Values]]] = {}
    series_in_folder: dict[Path, set[int]] = {}
    positions: set[tuple[int, str]] = set()
    damaged: list[Path] = []
    non_images = 0
    for path in paths:
        identifiers = frozenset()
        try:
            header = read_header(path, extra_keywords, None if keep_identifiers else collect)
        except CaseError:
            damaged.append(path)
            other_identifiers |= identifiers
            continue
        if not is_image(header):
            non_images += 1
            other_identifiers |= identifiers
            continue
        substitute_uid = f"folder:{path.parent}"
        study = str(header.get("StudyInstanceUID") or substitute_uid)
        uid = str(header.get("SeriesInstanceUID") or "")
        kind = _series_kind(header)
        series = series_by_key.setdefault(
            (study, uid or substitute_uid, kind), SeriesFiles(study=study, uid=uid, kind=kind)
        )
        new = identifiers - series.identifiers
        series.identifiers |= _to_keep(new, display(path)) if series.identifiers else new
        instance = (id(series), str(header.get("SOPInstanceUID") or path))
        first = first_paths.setdefault(instance, path)
        is_copy = first != path and _are_copies(first, path)
        if is_copy and (first.parent != path.parent or kind != "volume"):
            series.copies.append(path)
            continue
        series.files.append(path)
        frames, pixels = (0, 0) if is_copy else _size(header)
        places = _positions(header)
        if len(places) == frames:
            new_positions = {(id(series), place) for place in places} - positions
            series.frames += len(new_positions)
            positions |= new_positions
        else:
            series.frames += frames  # not stated, or damaged: the reader reports it
        series.images += frames
        series.voxels[path] = frames * pixels
        series_in_folder.setdefault(path.parent, set()).add(id(series))
        attributes = _attributes(header, keywords)
        group_key = (attributes["Orientation"], attributes.get("ImageType", ()))
        group_keys.setdefault(id(series), []).append(group_key)
        group_attributes.setdefault(id(series), {}).setdefault(group_key, attributes)
    for series in series_by_key.values():
        if series.files:
            largest_group = Counter(group_keys[id(series)]).most_common(1)[0][0]
            series.attributes = {
                **group_attributes[id(series)][largest_group],
                "NumberOfSlices": (str(series.frames),),
                "NumberOfPhases": (str(series.images // max(1, series.frames)),),
            }
    series_by_id = {id(series): series for series in series_by_key.values()}
    unassigned: list[Path] = []
    for path in damaged:
        neighbors = series_in_folder.get(path.parent, set())
        if len(neighbors) == 1:
            series_by_id[next(iter(neighbors))].damaged.append(path)
        else:
            unassigned.append(path)
    return SortedFiles(
        series=tuple(series for series in series_by_key.values() if series.files),
        damaged=tuple(unassigned),
        non_images=non_images,
        identifiers=frozenset(other_identifiers),
    )


def _to_keep(identifiers: Iterable[Identifier], shown: Path) -> set[Identifier]:
    """Return which values of a further slice are kept: all of them, times and UIDs of a thousand, would fill memory.

    Kept are names, dates, and whatever the path of the slice repeats.
    """
    in_path = repeated_in(str(shown))
    return {one for one in identifiers if one.kind in ("name", "date") or in_path(one)}


def _are_copies(first: Path, second: Path) -> bool:
    try:
        return are_copies(first, second)
    except OSError:  # the reader reports it
        return False


def _series_kind(header: SliceHeader) -> SeriesKind:
    if str(header.get("SOPClassUID", "")).startswith(VISIBLE_LIGHT):
        return "vl_image"
    return "color_capture" if header.get("SamplesPerPixel") not in (None, "", 1) else "volume"


def _size(header: SliceHeader) -> tuple[int, int]:
    """Number of frames, and pixels per frame; (1, 0) for invalid values, which the reader rejects later."""
    try:
        frames, pixels = int(header.get("NumberOfFrames") or 1), int(header.dataset.Rows) * int(header.dataset.Columns)
    except (TypeError, ValueError):
        return 1, 0
    return (frames, pixels) if frames > 0 else (1, 0)


def _positions(header: SliceHeader) -> list[str]:
    """Positions of the frames as text; none where one is not stated, or damaged."""
    try:
        places = [frame.get("ImagePositionPatient") for frame in split_frames(header)]
    except CaseError:
        return []
    return [] if None in places else [str(place) for place in places]


def _attributes(header: SliceHeader, keywords: Sequence[str]) -> dict[str, Values]:
    required = {"Modality", "ImageType", "SeriesNumber", "SliceThickness", *keywords}
    attributes = {keyword: values for keyword in required if (values := _texts(header.get(keyword)))}
    if "Modality" not in attributes and str(header.get("SOPClassUID", "")).startswith(CT_IMAGE):
        attributes["Modality"] = ("CT",)
    attributes["Orientation"] = (_orientation(header),)
    return attributes


def _texts(value: Any) -> Values:
    if value is None or isinstance(value, str) or not hasattr(value, "__iter__"):
        value = [value]
    return tuple(text for item in value if item is not None and (text := str(item).strip()))


def _orientation(header: SliceHeader) -> str:
    """Orientation of the slices, from the direction of their normal (PS3.3 section C.7.6.2.1.1)."""
    try:
        cosines = np.array(split_frames(header)[0].dataset.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    except Exception:  # absent, or damaged in any way: the reader reports it
        return "unknown"
    normal = np.abs(np.cross(*cosines))
    axis = int(normal.argmax())
    return ("sagittal", "coronal", "axial")[axis] if normal[axis] >= MIN_AXIS_COSINE else "oblique"
