"""Fetch studies from a DICOMweb server and store masks on it (PS3.18 chapter 10: QIDO-RS, WADO-RS, STOW-RS)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s3net_monai.inference.dicomweb.search import (
    SeriesOnServer,
    check_one_patient,
    choose_series,
    first_value,
    has_copies,
    search_instances,
    search_series,
)
from s3net_monai.inference.dicomweb.server import connect, is_fatal, server_problem
from s3net_monai.inference.discovery.cases import Case, ExcludedSeries
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import CaseError, UsageError
from s3net_monai.utils.printing import progress_bar

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

MAX_INSTANCES = 20_000
MAX_STUDY_BYTES = 50 * 2**30
ANY_TRANSFER_SYNTAX = (("application/dicom", "*"),)  # the server sends files as it has stored them
DUPLICATE_INSTANCE = 0x0111  # failure reason (PS3.4 annex GG): the server already has this instance


@dataclass(frozen=True)
class FetchedStudy:
    """The result of fetching a study.

    Attributes:
        files: the images, one folder per series.
        excluded: series that the task cannot use and that were not fetched.
        unusable: one failed case per series that the server could not deliver completely; its files are deleted.
    """

    files: tuple[Path, ...]
    excluded: tuple[ExcludedSeries, ...]
    unusable: tuple[Case, ...]


@dataclass(frozen=True)
class _Limits:
    instances: int
    size: int  # bytes


def fetch_study(
    url: str,
    study: str,
    *,
    folder: Path,
    task: str,
    max_instances: int = MAX_INSTANCES,
    max_bytes: int = MAX_STUDY_BYTES,
) -> FetchedStudy:
    """Fetch the image series of a study that the task can segment.

    The files are named ``folder/series<n>/<m>.dcm`` in the order of series and instance numbers, keep the server's
    transfer syntax, and have no identifier in their names. Instances are fetched one at a time. If one image cannot be
    fetched, only its series fails. If fetching fails as a whole, the folder is deleted.

    Args:
        url: root of the server's DICOMweb services.
        study: StudyInstanceUID.
        folder: destination, empty or absent.
        task: name of the task.
        max_instances: limit for the number of images.
        max_bytes: limit for their total size.

    Raises:
        UsageError: as ``connect`` does; and for a study that is not found, contains no image for the task, or exceeds
            a limit; for a ``folder`` that is not empty.
    """
    if len(study) > 64 or not re.fullmatch(r"[0-9]+([.][0-9]+)*", study):
        raise UsageError("--study: not a StudyInstanceUID; give digits and dots, at most 64")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder.name}: not empty; the study needs a folder of its own")
    with connect(url) as client:
        available = search_series(client, study)
        check_one_patient(client, study)
        selected, excluded = choose_series(available, task, client.base_url)
        try:
            files, unusable = _fetch(client, study, selected, folder=folder, limits=_Limits(max_instances, max_bytes))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if not files:
        raise UsageError(f"{client.base_url}: {unusable[0].problem if unusable else 'the study contains no image'}")
    return FetchedStudy(tuple(files), tuple(excluded), tuple(unusable))


def _fetch(
    client: DICOMwebClient, study: str, selected: list[SeriesOnServer], *, folder: Path, limits: _Limits
) -> tuple[list[Path], list[Case]]:
    """The files of the series that could be fetched, and one failed case for every other series."""
    files: list[Path] = []
    unusable: list[Case] = []
    size, expected_count = 0, sum(series.count for series in selected)
    _check_limits(client, count=expected_count, size=size, limits=limits)
    with progress_bar(total=expected_count or None, description="fetching", unit="image") as progress:
        for number, series in enumerate(selected, start=1):
            target = folder / f"series{number}"
            try:
                for path in _fetch_series(client, study, series, target):
                    progress.update()
                    size += path.stat().st_size
                    _check_limits(client, count=progress.n, size=size, limits=limits)
            except CaseError as error:
                shutil.rmtree(target, ignore_errors=True)  # an incomplete series would pass for a whole one
                unusable.append(
                    Case(case_id=target.name, input=target, image=(target,), kind="unusable", problem=str(error))
                )
            else:
                files += sorted(target.iterdir())
    return files, unusable


def _check_limits(client: DICOMwebClient, *, count: int, size: int, limits: _Limits) -> None:
    if count > limits.instances:
        raise UsageError(f"{client.base_url}: more than {limits.instances} images in the study; give one with fewer")
    if size > limits.size:
        raise UsageError(f"{client.base_url}: more than {limits.size / 2**30:.3g} GiB in the study; give a smaller one")


def _fetch_series(client: DICOMwebClient, study: str, series: SeriesOnServer, target: Path) -> Iterator[Path]:
    """Fetch one image after the other, and yield each path when its file is complete.

    Raises:
        CaseError: for an image that cannot be fetched, or an incomplete list of images.
    """
    with _as_case_error(str(series)):  # Orthanc opens the files to list them, and one may be damaged
        instances = search_instances(client, study, series)
    target.mkdir(parents=True)
    for index, instance in enumerate(instances, start=1):
        path = target / f"{index:05d}.dcm"
        with _as_case_error(f"{series}, image {index}"):
            _fetch_instance(client, (study, series.uid, instance), path)
        yield path


@contextmanager
def _as_case_error(source: str) -> Iterator[None]:
    """Turn every error of the server or a damaged instance into a ``CaseError``, unless it ends the run."""
    try:
        yield
    except Exception as error:
        if is_fatal(error):
            raise
        raise CaseError(f"{source}: {_reason(error)}") from None


def _fetch_instance(client: DICOMwebClient, uids: tuple[str, str, str], path: Path) -> None:
    """Fetch one image.

    Raises:
        CaseError: when the archive denies an image that it has listed because it holds several under its UID.
        ValueError: for another image than the requested one.
    """
    from requests import HTTPError

    try:
        dataset = client.retrieve_instance(*uids, media_types=ANY_TRANSFER_SYNTAX)
    except HTTPError as error:
        if error.response is not None and error.response.status_code == 404 and has_copies(client, uids[-1]):
            raise CaseError(
                "the archive holds several images with its UID, in other studies or series, and sends none of them; "
                "remove the copies there, or store them with new UIDs"
            ) from None
        raise
    received = tuple(dataset.get(f"{level}InstanceUID") for level in ("Study", "Series", "SOP"))
    if received != uids:
        raise ValueError("received another instance than the requested one")
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def _reason(error: Exception) -> str:
    from requests import RequestException

    if isinstance(error, CaseError):
        return str(error)
    # The messages of parsers may quote the data that they could not parse.
    return server_problem(error) if isinstance(error, RequestException) else f"not usable ({type(error).__name__})"


def store_files(url: str, paths: Iterable[Path]) -> dict[Path, str]:
    """Store DICOM files on the server, one at a time.

    An instance that the server already has counts as stored. If the server fails as a whole, all remaining files get
    that reason: the masks are on disk and can be stored later.

    Returns:
        The reason, in one line, for every file that was not stored.

    Raises:
        UsageError: for an unusable address or credentials.
    """
    from requests import RequestException

    files, problems = list(paths), {}
    with connect(url) as client:
        for index, path in enumerate(files):
            try:
                problem = _store(client, path)
            except RequestException as error:
                problem = f"{client.base_url}: {server_problem(error)}"
                problems.update({remaining: f"{remaining.name}: not stored, {problem}" for remaining in files[index:]})
                break
            if problem:
                problems[path] = f"{path.name}: not stored, {problem}"
    return problems


def _store(client: DICOMwebClient, path: Path) -> str:
    """Store one file; the problem, or an empty string if the server now has the instance."""
    from pydicom import Dataset, dcmread
    from requests import HTTPError

    dataset = dcmread(path)
    try:
        response = client.store_instances([dataset])
    except HTTPError as error:
        if error.response is None or is_fatal(error):
            raise
        try:  # PS3.18 section 10.5.3: status 409 comes with reasons too
            response = Dataset.from_json(error.response.json())
        except Exception:
            return server_problem(error)
    uid = dataset.SOPInstanceUID
    for item in response.get("FailedSOPSequence") or ():
        if item.get("ReferencedSOPInstanceUID") == uid:
            reason = int(item.get("FailureReason") or 0)
            return (
                ""
                if reason == DUPLICATE_INSTANCE
                else f"the server refused it (failure reason {reason:04X}H); see its log"
            )
    if any(item.get("ReferencedSOPInstanceUID") == uid for item in response.get("ReferencedSOPSequence") or ()):
        return ""
    try:  # if an identifier is missing, Orthanc 1.10 reports the instance neither as stored nor as failed
        items = client.search_for_instances(dataset.StudyInstanceUID, dataset.SeriesInstanceUID)
    except ValueError:  # the identifiers are not even valid in a search
        items = []
    return "" if any(first_value(item, "SOPInstanceUID") == uid for item in items) else "the server does not list it"
