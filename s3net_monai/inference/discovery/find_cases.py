"""From the paths a user names to a list of cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from s3net_monai.inference.discovery.case_ids import stem, with_unique_ids
from s3net_monai.inference.discovery.cases import Case, Discovery, ExcludedSeries, Kind
from s3net_monai.inference.discovery.dicom_cases import absent_files, dicom_cases
from s3net_monai.inference.discovery.dicom_headers import sort_files
from s3net_monai.inference.discovery.identifiers import redact, uids_in, with_identifiers_of_others
from s3net_monai.inference.discovery.input_formats import KNOWN_INPUTS, suffixes_of
from s3net_monai.inference.discovery.series_selection import DEFAULT, Selection
from s3net_monai.inference.discovery.walk_files import walk_files
from s3net_monai.inference.report.previews import PREVIEW_SUFFIX
from s3net_monai.io import CaseError
from s3net_monai.io.archive import unpack
from s3net_monai.io.dicom.dicomdir import is_dicomdir, read_dicomdir
from s3net_monai.io.dicom.files import looks_like_dicom
from s3net_monai.utils.errors import UsageError

VOLUME_SUFFIXES = suffixes_of("volume")
PICTURE_SUFFIXES = suffixes_of("picture")
SEGMENTATION_SUFFIX = ".seg.nrrd"  # Slicer's
LABEL_MARKS = {"_label.": "_image.", "_gt.": "."}  # of a label, and of the image beside it, as in ACDC

__all__ = ["PICTURE_SUFFIXES", "VOLUME_SUFFIXES", "Case", "Discovery", "ExcludedSeries", "Kind", "find_cases", "stem"]


def find_cases(
    inputs: Sequence[Path],
    output: Path | None = None,
    *,
    rules: Selection = DEFAULT,
    unpack_to: Path | None = None,
    keep_identifiers: bool = False,
) -> Discovery:
    """Find every image among files, folders of files, series folders, trees of them, DICOMDIRs and zip archives.

    Folders are searched to any depth in sorted order. Hidden files, files inside ``output``, masks and previews of an
    earlier run (``*_seg.*``, ``*_preview.jpg``), and labels beside their image (``a_label.*`` beside ``a_image.*``,
    ``a_gt.*`` beside ``a.*``) are passed over.

    DICOM files are grouped by StudyInstanceUID and SeriesInstanceUID over one whole input, so that a series may lie in
    several folders; each archive is an input of its own. Of every study the series that ``rules`` choose are taken;
    every photograph is a case; and a DICOM file that the user names is taken as it is.

    Args:
        inputs: files and folders.
        output: folder of the masks, which may lie inside an input.
        rules: which series of a study to take.
        unpack_to: an empty folder for the contents of archives, which must outlive the cases; without one, archives
            are cases that fail.
        keep_identifiers: leave patient identifiers in names and texts.

    Raises:
        UsageError: when no input holds any image.
    """
    search = _Search(rules, tuple(path.resolve() for path in (output, unpack_to) if path), unpack_to, keep_identifiers)
    cases = [case for path in inputs for case in search.input(path)]
    if not keep_identifiers:
        cases = with_identifiers_of_others(cases)
    if all(case.kind == "unusable" for case in cases):
        raise UsageError(redact(cases[0].problem, cases[0].identifiers) if cases else "no input given")
    return Discovery(tuple(with_unique_ids(cases)), search.ignored, tuple(search.excluded))


@dataclass
class _Place:
    """A folder to search, and the name under which it is ``shown``: an archive's, where it was unpacked."""

    folder: Path
    shown: Path

    def __call__(self, path: Path) -> Path:
        return path if self.folder == self.shown else self.shown / path.relative_to(self.folder)


@dataclass
class _Search:
    """Goes through inputs and keeps account of what it leaves."""

    rules: Selection
    skipped: tuple[Path, ...]
    unpack_to: Path | None
    keep_identifiers: bool
    ignored: int = 0
    excluded: list[ExcludedSeries] = field(default_factory=list)
    archives: int = 0

    def input(self, path: Path) -> list[Case]:
        """The cases of one input that the user names."""
        if path.is_dir():
            return self._folder(_Place(path, path))
        if not path.exists():
            return [_unusable(path, f"{path}: no such file or folder; check the path")]
        if not path.is_file():
            return [_unusable(path, f"{path}: not a plain file; give {KNOWN_INPUTS}")]
        if _is_archive(path):
            return self._archive(path)
        if is_dicomdir(path):
            return self._medium(path)
        case = _file_case(path, path)
        if case is None:
            return [_unusable(path, f"{path}: not a known image type; give {KNOWN_INPUTS}")]
        return [self._named_dicom(case) if case.kind == "dicom" else case]

    def _named_dicom(self, case: Case) -> Case:
        """What is no image is left to the reader, which refuses it with the reason."""
        found = dicom_cases(sort_files(case.image, (), self.keep_identifiers), DEFAULT, lambda path: path).cases
        if not found:
            return case if self.keep_identifiers else replace(case, identifiers=uids_in(case.input))
        return replace(found[0][1], case_id=case.case_id, input=case.input)

    def _medium(self, path: Path) -> list[Case]:
        """The images that a DICOMDIR names, and no others."""
        try:
            listed = read_dicomdir(path)
        except CaseError as error:
            return [_unusable(path, str(error))]
        cases = self._dicom(_Place(path.parent, path.parent), listed.files, listed.missing, path)
        return [case for _, case in cases] or [_unusable(path, f"{path.name}: names no image; give another medium")]

    def _archive(self, path: Path) -> list[Case]:
        """The contents of a zip archive, as those of a folder."""
        if self.unpack_to is None:
            return [_unusable(path, f"{path.name}: an archive, and no folder to unpack it to; unpack it yourself")]
        self.archives += 1
        folder = self.unpack_to / f"{self.archives:05d}"
        try:
            unpacked = unpack(path, folder)
        except CaseError as error:
            return [_unusable(path, str(error))]
        self.ignored += unpacked.ignored
        cases = self._folder(_Place(folder, path)) if unpacked.files or not unpacked.nested else []
        if unpacked.nested:
            problem = f"{path.name}: archives in the archive are not opened ({unpacked.nested}); unpack it yourself"
            hidden = frozenset[str]().union(*(case.identifiers for case in cases))
            cases.append(replace(_unusable(path, problem), identifiers=hidden))
        return cases

    def _folder(self, place: _Place) -> list[Case]:
        """Everything in a tree."""
        ignored = self.ignored
        found: list[tuple[Path, Case]] = []
        dicom: list[Path] = []
        missing: dict[str, tuple[str, ...]] = {}
        medium = place.folder
        for path, problem in walk_files(place.folder, self.skipped):
            if problem:
                found.append((path, _unusable(place(path), f"{path.name}: {problem}")))
            elif is_dicomdir(path):
                medium = path
                for series, names in self._missing_files(path).items():
                    missing[series] = (*missing.get(series, ()), *names)
            elif _is_archive(path):
                found += [(path, case) for case in self._archive(path)]
            elif (case := _quiet_file_case(path, place(path))) is None:
                self.ignored += 1
            elif case.kind == "dicom":
                dicom.append(path)
            else:
                found.append((path, case))
        found += self._dicom(place, dicom, missing, medium)
        if not found:
            passed = self.ignored - ignored
            what = f"{passed} other files in it" if passed else "it is empty"
            return [_unusable(place.shown, f"{place.shown}: no image found ({what}); give {KNOWN_INPUTS}")]
        return [case for _, case in sorted(found, key=lambda pair: _order(pair[0], place.folder))]

    def _missing_files(self, path: Path) -> dict[str, tuple[str, ...]]:
        try:
            return read_dicomdir(path).missing
        except CaseError as error:  # its files are found without it
            self.excluded.append(ExcludedSeries(path.name, "", str(error)))
            return {}

    def _dicom(
        self, place: _Place, paths: Iterable[Path], missing: dict[str, tuple[str, ...]], medium: Path
    ) -> list[tuple[Path, Case]]:
        files = sort_files(paths, self.rules.keywords, self.keep_identifiers)
        self.ignored += files.others
        cases, excluded = dicom_cases(files, self.rules, place, missing, self.keep_identifiers)
        self.excluded += excluded
        known = {series.uid for series in files.series}
        absent = [name for uid, names in missing.items() if uid not in known for name in names]
        if absent:
            cases.append((medium, _unusable(place(medium), f"{medium.name}: {absent_files(absent)}")))
        return cases


def _unusable(shown: Path, problem: str) -> Case:
    return Case(stem(shown), shown, (shown,), "unusable", problem)


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(suffixes_of("archive"))


def _file_case(path: Path, shown: Path) -> Case | None:
    name = path.name.lower()
    if name.endswith(SEGMENTATION_SUFFIX):
        return _unusable(shown, f"{path.name}: a segmentation, not an image; give the image")
    if name.endswith(VOLUME_SUFFIXES):
        return Case(stem(path), shown, (path,), "volume")
    if name.endswith(PICTURE_SUFFIXES):
        return Case(stem(path), shown, (path,), "picture")
    return Case(stem(path), shown, (path,), "dicom") if looks_like_dicom(path) else None


def _quiet_file_case(path: Path, shown: Path) -> Case | None:
    """As ``_file_case``, but nothing for results and labels, and a failed case for what cannot be opened."""
    name = path.name.lower()
    if "_seg." in name or name.endswith(("_seg", PREVIEW_SUFFIX, SEGMENTATION_SUFFIX)):
        return None
    if any(
        mark in name and path.with_name(path.name.replace(mark, image)).exists() for mark, image in LABEL_MARKS.items()
    ):
        return None
    try:
        return _file_case(path, shown)
    except OSError as error:
        return _unusable(shown, f"{path.name}: not readable ({error.strerror}); check its permissions")


def _order(path: Path, root: Path) -> tuple[tuple[int, str], ...]:
    """As the walk goes: a folder's files before its subfolders."""
    *folders, name = path.relative_to(root).parts or ("",)
    return (*((1, folder) for folder in folders), (0, name))
