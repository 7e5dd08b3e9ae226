"""Fetch studies from a DICOMweb server and store masks on it (PS3.18 chapter 10: QIDO-RS, WADO-RS, STOW-RS)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.multipart import write_only_part
from s3net_monai.inference.dicomweb.problems import AnswerError, ItemError, is_fatal, server_problem
from s3net_monai.inference.dicomweb.search import (
    SeriesOnServer,
    check_one_patient,
    choose_series,
    has_copies,
    is_listed,
    search_instances,
    search_series,
)
from s3net_monai.inference.dicomweb.server import Server, connect
from s3net_monai.inference.discovery.cases import Case, ExcludedSeries
from s3net_monai.io.dicom.files import dicom_problem, read_data_set
from s3net_monai.io.dicom.uids import MAX_UID_LENGTH, is_uid
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import CaseError, UsageError
from s3net_monai.utils.printing import progress_bar

ANY_TRANSFER_SYNTAX = 'multipart/related; type="application/dicom"; transfer-syntax=*'  # files as they are stored
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
    end: float  # of ``time.monotonic``

    @property
    def too_many(self) -> str:
        return f"more than {self.instances} images in the study; give one with fewer"


def fetch_study(
    url: str,
    study: str,
    *,
    folder: Path,
    task: str,
    max_instances: int = limits.STUDY_INSTANCES,
    max_bytes: int = limits.STUDY_BYTES,
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
        max_bytes: limit for everything that is received.

    Raises:
        UsageError: as ``connect`` does; and for a study that is not found, contains no image for the task, or exceeds
            a limit; for a ``folder`` that is not empty.
    """
    if not is_uid(study):
        raise UsageError(
            f"--study: not a StudyInstanceUID; give numbers with dots between them, at most {MAX_UID_LENGTH} characters"
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder.name}: not empty; the study needs a folder of its own")
    with connect(url) as server:
        available = search_series(server, study)
        check_one_patient(server, study)
        selected, excluded = choose_series(available, task, server.address)
        most = _Limits(max_instances, max_bytes, time.monotonic() + limits.STUDY_SECONDS)
        try:
            files, unusable = _fetch(server, study, selected, folder=folder, most=most)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if not files:
        raise UsageError(f"{server.address}: {unusable[0].problem if unusable else 'the study contains no image'}")
    return FetchedStudy(tuple(files), tuple(excluded), tuple(unusable))


def _fetch(
    server: Server, study: str, selected: list[SeriesOnServer], *, folder: Path, most: _Limits
) -> tuple[list[Path], list[Case]]:
    """The files of the series that could be fetched, and one failed case for every other series."""
    files: list[Path] = []
    unusable: list[Case] = []
    count, expected_count = 0, sum(series.count for series in selected)
    if expected_count > most.instances:
        raise AnswerError(most.too_many)
    with progress_bar(total=expected_count or None, description="fetching", unit="image") as progress:
        for number, series in enumerate(selected, start=1):
            target = folder / f"series{number}"
            try:
                instances = _list_series(server, study, series, most=most, count=count)
                count += len(instances)
                for _ in _fetch_series(server, study, series, instances, target):
                    progress.update()
                    _check_cost(server, most)
            except CaseError as error:
                _check_cost(server, most)
                shutil.rmtree(target, ignore_errors=True)  # an incomplete series would pass for a whole one
                unusable.append(
                    Case(case_id=target.name, input=target, image=(target,), kind="unusable", problem=str(error))
                )
            else:
                files += sorted(target.iterdir())
    return files, unusable


def _check_cost(server: Server, most: _Limits) -> None:
    if server.adapter.received > most.size:
        raise AnswerError(f"more than {most.size / 2**30:.3g} GiB in the study; give a smaller one")
    if time.monotonic() > most.end:
        hours = limits.STUDY_SECONDS / 3600
        raise AnswerError(f"the study was not fetched within {hours:.3g} h; check the network, or give a smaller one")


def _list_series(server: Server, study: str, series: SeriesOnServer, *, most: _Limits, count: int) -> list[str]:
    """The SOP instance UIDs of a series, with ``count`` images listed before it."""
    with _as_case_error(str(series)):  # Orthanc opens the files to list them, and one may be damaged
        return search_instances(server, study, series, most=most.instances - count, beyond=most.too_many)


def _fetch_series(
    server: Server, study: str, series: SeriesOnServer, instances: list[str], target: Path
) -> Iterator[Path]:
    """Fetch one image after the other, and yield each path when its file is complete.

    Raises:
        CaseError: for an image that cannot be fetched.
    """
    target.mkdir(parents=True)
    for index, instance in enumerate(instances, start=1):
        path = target / f"{index:05d}.dcm"
        with _as_case_error(f"{series}, image {index}"):
            fetch_instance(server, (study, series.uid, instance), path)
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


def fetch_instance(server: Server, uids: tuple[str, str, str], path: Path) -> None:
    """Fetch one image, from the server to the file without holding it in memory.

    Args:
        server: to ask.
        uids: of study, series and instance.
        path: file to create.

    Raises:
        CaseError: when the archive denies an image that it has listed because it holds several under its UID.
        ItemError: for an answer that does not hold exactly one DICOM file, or another image than the requested one.
    """
    from requests import HTTPError

    try:
        response = server.get(
            "/studies/{}/series/{}/instances/{}".format(*uids), accept=ANY_TRANSFER_SYNTAX, allowance=limits.INSTANCE
        )
    except HTTPError as error:
        if error.response is not None and error.response.status_code == 404 and has_copies(server, uids[-1]):
            raise CaseError(
                "the archive holds several images with its UID, in other studies or series, and sends none of them; "
                "remove the copies there, or store them with new UIDs"
            ) from None
        raise
    keywords = [f"{level}InstanceUID" for level in ("Study", "Series", "SOP")]
    with atomic_path(path) as temporary, response.raw as body:
        write_only_part(body, response.headers.get("Content-Type", ""), temporary)
        dataset = read_data_set(temporary, stop_before_pixels=True, specific_tags=keywords)
        if tuple(dataset.get(keyword) for keyword in keywords) != uids:
            raise ItemError("received another image than the requested one; see the server's log")


def _reason(error: Exception) -> str:
    from requests import RequestException

    if isinstance(error, CaseError):
        return str(error)
    if isinstance(error, (RequestException, AnswerError)):
        return server_problem(error)
    # The messages of parsers may quote the data that they could not parse.
    return dicom_problem(error, "not readable as DICOM", "see the server's log")


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
    with connect(url) as server:
        for index, path in enumerate(files):
            try:
                problem = _store(server, path)
            except (RequestException, AnswerError) as error:
                problem = f"{server.address}: {server_problem(error)}"
                problems.update({remaining: f"{remaining.name}: not stored, {problem}" for remaining in files[index:]})
                break
            if problem:
                problems[path] = f"{path.name}: not stored, {problem}"
    return problems


def _store(server: Server, path: Path) -> str:
    """Store one file; the problem, or an empty string if the server now has the instance."""
    from pydicom import Dataset, dcmread
    from requests import HTTPError, RequestException
    from requests.exceptions import ChunkedEncodingError, InvalidJSONError

    dataset = dcmread(path)
    try:
        response = server.client.store_instances([dataset])
    except HTTPError as error:
        if error.response is None or is_fatal(error):
            raise
        try:  # PS3.18 section 10.5.3: status 409 comes with reasons too
            answer = error.response.json()
            response = Dataset.from_json(answer[0] if isinstance(answer, list) else answer)
        except Exception:
            return server_problem(error)
    except Exception as error:
        asked = (InvalidJSONError, ChunkedEncodingError)  # no DICOM JSON, no body, a cut one
        if isinstance(error, (RequestException, AnswerError)) and not isinstance(error, asked):
            raise
        response = Dataset()  # the server is asked below
    uid = dataset.SOPInstanceUID
    try:
        outcome = _outcome(response, uid)
    except Exception:  # of a server, any attribute may have any value
        outcome = None
    if outcome is not None:
        return outcome
    # If an identifier is missing, Orthanc 1.10 reports the instance neither as stored nor as failed.
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID, uid)
    return "" if all(map(is_uid, uids)) and is_listed(server, *uids) else "the server does not list it"


def _outcome(response: Any, uid: str) -> str | None:
    """The problem that the response to a store request states for the instance, empty if stored, None if not stated."""
    for item in response.get("FailedSOPSequence") or ():
        if item.get("ReferencedSOPInstanceUID") == uid:
            reason = int(item.get("FailureReason") or 0)
            if reason == DUPLICATE_INSTANCE:
                return ""
            return f"the server refused it (failure reason {reason:04X}H); see its log"
    stored = any(item.get("ReferencedSOPInstanceUID") == uid for item in response.get("ReferencedSOPSequence") or ())
    return "" if stored else None
