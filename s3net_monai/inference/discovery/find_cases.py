"""Find cases among the paths that a user names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from s3net_monai.data.label_names import LabelName, find_labels, is_result
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES, KNOWN_INPUTS, VOLUME_SUFFIXES
from s3net_monai.inference.discovery.case_ids import stem, with_unique_ids
from s3net_monai.inference.discovery.cases import Case, Discovery, ExcludedSeries, Kind
from s3net_monai.inference.discovery.dicom_cases import Excluded, dicom_cases, missing_files_problem
from s3net_monai.inference.discovery.dicom_headers import sort_files
from s3net_monai.inference.discovery.file_cases import file_case, found_case, is_archive, unusable_case
from s3net_monai.inference.discovery.header_values import collect_identifiers
from s3net_monai.inference.discovery.identifiers import IdentifierIndex, redact, redact_message, texts_of, uids_in
from s3net_monai.inference.discovery.series_selection import DEFAULT, Selection, default_rules
from s3net_monai.inference.discovery.spellings import Identifier
from s3net_monai.inference.discovery.walk_files import walk_files
from s3net_monai.io import CaseError
from s3net_monai.io.archive import unpack
from s3net_monai.io.archive_limits import UnpackedTotal
from s3net_monai.io.dicom.dicomdir import DicomDir, is_dicomdir, read_dicomdir
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.pseudonyms import Pseudonyms
from s3net_monai.utils.walk import problem_of

__all__ = ["IMAGE_2D_SUFFIXES", "VOLUME_SUFFIXES", "Case", "Discovery", "ExcludedSeries", "Kind", "find_cases", "stem"]


def find_cases(
    inputs: Sequence[Path],
    output: Path | None = None,
    *,
    modality: str = "CT",
    rules: Selection | None = None,
    unpack_to: Path | None = None,
    keep_identifiers: bool = False,
    pseudonyms: Pseudonyms | None = None,
) -> Discovery:
    """Find every image in files, folders, trees of DICOM series, DICOMDIRs and zip archives.

    Folders are searched to any depth in sorted order. Hidden files, files inside ``output``, and masks and previews of
    an earlier run (``*_seg.*``, ``*_preview.jpg``) are ignored. Labels are passed over and counted; their names tell
    them from images (``data.label_names``). A file that the user names is a case whatever its name.

    DICOM files are grouped by StudyInstanceUID and SeriesInstanceUID over a whole input, so that a series may be
    spread over several folders; each archive is an input of its own. In every study, ``rules`` select the series;
    every VL image is a case; and a DICOM file that the user names is always a case.

    Args:
        inputs: files and folders.
        output: folder of the masks, which may be inside an input.
        modality: of the task's images. It decides the default rules; for "MR", every phase of a cine series in DICOM
            is a case.
        rules: which series of a study to select; None for the default of the modality.
        unpack_to: an empty folder for the contents of archives, which must outlive the cases; without one, archives
            are cases that fail.
        keep_identifiers: whether patient identifiers may stay in names and texts.
        pseudonyms: what replaces them; None for those of the user's own secret.

    Raises:
        UsageError: when no input contains an image.
    """
    search = _Search(
        modality=modality,
        rules=rules or default_rules(modality),
        skipped=tuple(path.resolve() for path in (output, unpack_to) if path),
        unpack_to=unpack_to,
        keep_identifiers=keep_identifiers,
    )
    cases = [case for path in inputs for case in search.search(path)]
    pseudonyms = pseudonyms or Pseudonyms()
    # A folder may be named after a value of another series: that of the patient, or of a report beside the images.
    all_identifiers = frozenset(search.identifiers).union(
        *(case.identifiers for case in cases), *(excluded.identifiers for excluded in search.excluded)
    )
    index = IdentifierIndex(all_identifiers)
    cases = [replace(case, identifiers=case.identifiers | index.found_in(texts_of(case))) for case in cases]
    if all(case.kind == "unusable" for case in cases):
        raise UsageError(redact_message(cases[0].problem, cases[0], pseudonyms) if cases else "no input given")
    return Discovery(
        cases=tuple(with_unique_ids(cases, pseudonyms)),
        ignored=search.ignored,
        labels=tuple(search.labels),
        excluded=tuple(_redacted(excluded, index, pseudonyms) for excluded in search.excluded),
    )


def _redacted(excluded: Excluded, index: IdentifierIndex, pseudonyms: Pseudonyms) -> ExcludedSeries:
    series = excluded.series
    identifiers = excluded.identifiers | index.found_in(f"{series.input}\n{series.reason}")
    source = Path(series.input)
    case = Case(case_id="", input=source, image=(source,), kind="unusable", identifiers=identifiers)
    return replace(
        series,
        input=redact(series.input, identifiers, pseudonyms),
        series=redact_message(series.series, case, pseudonyms),
        reason=redact_message(series.reason, case, pseudonyms),
    )


@dataclass(frozen=True)
class _SearchFolder:
    """A folder to search, and the path that is shown for it: for an unpacked archive, the path of the archive."""

    folder: Path
    display_path: Path

    def display(self, path: Path) -> Path:
        """The path that is shown for ``path`` in this folder."""
        if self.folder == self.display_path:
            return path
        return self.display_path / path.relative_to(self.folder)


@dataclass(kw_only=True)
class _Search:
    """A search through inputs, with the count of ignored files, and the lists of labels and excluded series.

    ``identifiers`` are those of files that belong to no case, such as a DICOMDIR.
    """

    modality: str
    rules: Selection
    skipped: tuple[Path, ...]
    unpack_to: Path | None
    keep_identifiers: bool
    ignored: int = 0
    labels: list[LabelName] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    identifiers: set[Identifier] = field(default_factory=set)
    archives: int = 0
    unpacked: UnpackedTotal = field(default_factory=UnpackedTotal)

    def search(self, path: Path) -> list[Case]:
        """The cases of one input that the user names."""
        try:
            return self._search_input(path)
        except OSError as error:  # too long a path, a folder that may not be entered, or a failing network share
            return [unusable_case(path, f"{path}: {problem_of(error)}")]

    def _search_input(self, path: Path) -> list[Case]:
        if path.is_dir():
            return self._search_folder(_SearchFolder(path, path))
        if not path.exists():
            return [unusable_case(path, f"{path}: no such file or folder; check the path")]
        if not path.is_file():
            return [unusable_case(path, f"{path}: not a regular file; give {KNOWN_INPUTS}")]
        if is_archive(path):
            return self._search_archive(path)
        if is_dicomdir(path):
            return self._search_dicomdir(path)
        case = file_case(path, path)
        if case is None:
            return [unusable_case(path, f"{path}: not a known image type; give {KNOWN_INPUTS}")]
        return self._named_dicom_cases(case) if case.kind == "dicom_series" else [case]

    def _named_dicom_cases(self, case: Case) -> list[Case]:
        """The cases of a DICOM file that the user names; an object without an image is rejected by the reader later."""
        files = sort_files(case.image, (), self.keep_identifiers)
        self.identifiers |= files.identifiers
        cases = dicom_cases(files, DEFAULT, display=lambda path: path, modality=self.modality).cases
        if not cases:
            return [case if self.keep_identifiers else replace(case, identifiers=uids_in(case.input))]
        named = [replace(found, input=case.input) for _, found in cases]
        return named if len(named) > 1 else [replace(named[0], case_id=case.case_id)]

    def _search_dicomdir(self, path: Path) -> list[Case]:
        """The cases among the images that a DICOMDIR lists; other files beside it are not read."""
        try:
            listed = self._read_dicomdir(path)
        except CaseError as error:
            return [unusable_case(path, str(error))]
        folder = _SearchFolder(path.parent, path.parent)
        cases = self._sort_dicom(folder, listed.files, missing=listed.missing, missing_source=path)
        return [case for _, case in cases] or [unusable_case(path, f"{path.name}: lists no image; give another disc")]

    def _search_archive(self, path: Path) -> list[Case]:
        """The cases in a zip archive, which is searched like a folder."""
        if self.unpack_to is None:
            return [unusable_case(path, f"{path.name}: an archive, and no folder to unpack it to; unpack it yourself")]
        self.archives += 1
        folder = self.unpack_to / f"{self.archives:05d}"
        try:
            unpacked = unpack(path, folder, self.unpacked)
        except CaseError as error:
            return [unusable_case(path, str(error))]
        self.ignored += unpacked.ignored
        is_searched = unpacked.files or not unpacked.nested
        cases = self._search_folder(_SearchFolder(folder, path)) if is_searched else []
        if unpacked.nested:
            problem = f"{path.name}: archives in the archive are not opened ({unpacked.nested}); unpack it yourself"
            identifiers = frozenset[Identifier]().union(*(case.identifiers for case in cases))
            cases.append(replace(unusable_case(path, problem), identifiers=identifiers))
        return cases

    def _search_folder(self, root: _SearchFolder) -> list[Case]:
        """All cases in a tree."""
        ignored_before = self.ignored
        cases: list[tuple[Path, Case]] = []
        dicom_files: list[Path] = []
        missing: dict[str, tuple[str, ...]] = {}
        missing_source = root.folder
        files = list(walk_files(root.folder, self.skipped))
        labels = _labels_among([path for path, problem in files if not problem], root.folder)
        self.labels += labels.values()
        for path, problem in files:
            if path in labels:
                continue
            if problem:
                cases.append((path, unusable_case(root.display(path), f"{path.name}: {problem}")))
            elif is_dicomdir(path):
                missing_source = path
                for series_uid, names in self._missing_files(path).items():
                    missing[series_uid] = (*missing.get(series_uid, ()), *names)
            elif is_archive(path):
                cases += [(path, case) for case in self._search_archive(path)]
            elif (case := found_case(path, root.display(path))) is None:
                self.ignored += 1
            elif case.kind == "dicom_series":
                dicom_files.append(path)
            else:
                cases.append((path, case))
        cases += self._sort_dicom(root, dicom_files, missing=missing, missing_source=missing_source)
        if not cases:
            ignored = self.ignored - ignored_before + len(labels)
            content = f"{ignored} other files in it" if ignored else "it is empty"
            problem = f"{root.display_path}: no image found ({content}); give {KNOWN_INPUTS}"
            return [unusable_case(root.display_path, problem)]
        return [case for _, case in sorted(cases, key=lambda pair: _walk_order(pair[0], root.folder))]

    def _read_dicomdir(self, path: Path) -> DicomDir:
        listed = read_dicomdir(path)
        if not self.keep_identifiers:
            self.identifiers |= collect_identifiers(listed.records)
        return listed

    def _missing_files(self, path: Path) -> dict[str, tuple[str, ...]]:
        try:
            return self._read_dicomdir(path).missing
        except CaseError as error:  # the walk finds the files without the DICOMDIR
            excluded = ExcludedSeries(input=path.name, series="", reason=str(error))
            self.excluded.append(Excluded(excluded, frozenset()))
            return {}

    def _sort_dicom(
        self, root: _SearchFolder, paths: Iterable[Path], *, missing: dict[str, tuple[str, ...]], missing_source: Path
    ) -> list[tuple[Path, Case]]:
        """Cases from DICOM files; files missing from whole series become one unusable case at ``missing_source``."""
        files = sort_files(paths, self.rules.keywords, self.keep_identifiers, display=root.display)
        self.ignored += files.non_images
        self.identifiers |= files.identifiers
        cases, excluded = dicom_cases(
            files,
            self.rules,
            display=root.display,
            missing=missing,
            keep_identifiers=self.keep_identifiers,
            modality=self.modality,
        )
        self.excluded += excluded
        present_uids = {series.uid for series in files.series}
        absent = [name for uid, names in missing.items() if uid not in present_uids for name in names]
        if absent:
            problem = f"{missing_source.name}: {missing_files_problem(absent)}"
            cases.append((missing_source, unusable_case(root.display(missing_source), problem)))
        return cases


def _labels_among(files: Iterable[Path], root: Path) -> dict[Path, LabelName]:
    """The labels among the files of a tree."""
    suffixes = (*VOLUME_SUFFIXES, *IMAGE_2D_SUFFIXES)
    named: dict[PurePath, Path] = {
        path.relative_to(root): path
        for path in files
        if path.name.lower().endswith(suffixes) and not is_result(path.name)
    }
    return {named[relative]: label for relative, label in find_labels(named).items()}


def _walk_order(path: Path, root: Path) -> tuple[tuple[int, str], ...]:
    """Sort key of the order of ``walk_files``: a folder's files before its subfolders."""
    *folders, name = path.relative_to(root).parts or ("",)
    return (*((1, folder) for folder in folders), (0, name))
