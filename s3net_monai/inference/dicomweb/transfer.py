"""A study from a DICOMweb server, and masks back to it (PS3.18 chapter 10: QIDO-RS, WADO-RS, STOW-RS)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from s3net_monai.inference.dicomweb.search import Series, choose_series, first_value, search_instances, search_series
from s3net_monai.inference.dicomweb.server import connected, is_fatal, server_problem
from s3net_monai.inference.discovery.cases import Case, ExcludedSeries
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import CaseError, UsageError

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

MAX_INSTANCES = 20_000
MAX_BYTES = 50 * 2**30
AS_STORED = (("application/dicom", "*"),)  # in the transfer syntax that the server holds, whichever it is
DUPLICATE = 0x0111  # failure reason (PS3.4 annex GG): the server has this instance already


@dataclass(frozen=True)
class FetchedStudy:
    """What came of a study.

    Attributes:
        files: the images, one folder a series.
        passed_over: series that the task cannot use; they were not fetched.
        unusable: a failed case for every series that the server could not hand out whole; nothing is left of it.
    """

    files: tuple[Path, ...]
    excluded: tuple[ExcludedSeries, ...]
    unusable: tuple[Case, ...]


def fetch_study(
    url: str, study: str, folder: Path, task: str, *, max_instances: int = MAX_INSTANCES, max_bytes: int = MAX_BYTES
) -> FetchedStudy:
    """Fetch the image series of ``study`` (StudyInstanceUID) that ``task`` can segment into ``folder``.

    The files are ``folder/series<n>/<m>.dcm``, in order of series and instance number and in the transfer syntax of the
    server; no name holds an identifier. They come one at a time. A series of which one image cannot be had fails alone.
    Should the fetching fail as a whole, nothing is left.

    Raises:
        UsageError: as ``connected`` does; and for a study that is not found, holds no image for the task, or exceeds
            ``max_instances`` or ``max_bytes``; for a ``folder`` that holds something.
    """
    if len(study) > 64 or not re.fullmatch(r"[0-9]+([.][0-9]+)*", study):
        raise UsageError("--study: not a StudyInstanceUID; give digits and dots, at most 64")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder.name}: not empty; the study needs a folder of its own")
    with connected(url) as client:
        wanted, excluded = choose_series(search_series(client, study), task, client.base_url)
        try:
            files, unusable = _fetch(client, study, wanted, folder, (max_instances, max_bytes))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if not files:
        raise UsageError(f"{client.base_url}: {unusable[0].problem if unusable else 'the study holds no image'}")
    return FetchedStudy(tuple(files), tuple(excluded), tuple(unusable))


def _fetch(
    client: DICOMwebClient, study: str, wanted: list[Series], folder: Path, limits: tuple[int, int]
) -> tuple[list[Path], list[Case]]:
    """The files of what could be fetched, and a failed case for each series that could not."""
    files: list[Path] = []
    unusable: list[Case] = []
    size, promised = 0, sum(series.count for series in wanted)
    _check(client, promised, size, limits)
    with tqdm(total=promised or None, desc="fetching", unit="image") as progress:
        for number, series in enumerate(wanted, start=1):
            target = folder / f"series{number}"
            try:
                for path in _fetch_series(client, study, series, target):
                    progress.update()
                    size += path.stat().st_size
                    _check(client, progress.n, size, limits)
            except CaseError as error:
                shutil.rmtree(target, ignore_errors=True)  # what is there would look like a whole series
                unusable.append(Case(target.name, target, (target,), "unusable", str(error)))
            else:
                files += sorted(target.iterdir())
    return files, unusable


def _check(client: DICOMwebClient, count: int, size: int, limits: tuple[int, int]) -> None:
    if count > limits[0]:
        raise UsageError(f"{client.base_url}: more than {limits[0]} images in the study; give one with fewer")
    if size > limits[1]:
        raise UsageError(f"{client.base_url}: more than {limits[1] / 2**30:.3g} GiB in the study; give a smaller one")


def _fetch_series(client: DICOMwebClient, study: str, series: Series, target: Path) -> Iterator[Path]:
    """Fetch one image after the other; gives each path when its file is whole.

    Raises:
        CaseError: for an image that cannot be had, or a list of them that is not complete.
    """
    with _fault_of(str(series)):  # Orthanc, for one, opens the files to list them, and one may be damaged
        instances = search_instances(client, study, series)
    target.mkdir(parents=True)
    for index, instance in enumerate(instances, start=1):
        path = target / f"{index:05d}.dcm"
        with _fault_of(f"{series}, image {index}"):
            _fetch_instance(client, (study, series.uid, instance), path)
        yield path


@contextmanager
def _fault_of(what: str) -> Iterator[None]:
    """Whatever the server or a damaged instance provokes becomes a ``CaseError``, unless it ends the run."""
    try:
        yield
    except CaseError:
        raise
    except Exception as error:
        if is_fatal(error):
            raise
        raise CaseError(f"{what}: {_why(error)}") from None


def _fetch_instance(client: DICOMwebClient, uids: tuple[str, str, str], path: Path) -> None:
    dataset = client.retrieve_instance(*uids, media_types=AS_STORED)
    received = tuple(dataset.get(f"{level}InstanceUID") for level in ("Study", "Series", "SOP"))
    if received != uids:
        raise ValueError("another instance arrived than was asked for")
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def _why(error: Exception) -> str:
    from requests import RequestException

    # Texts of parsers may quote what they could not parse.
    return server_problem(error) if isinstance(error, RequestException) else f"not usable ({type(error).__name__})"


def store_files(url: str, paths: Iterable[Path]) -> dict[Path, str]:
    """Store DICOM files on the server, one at a time; returns those that it did not take, with a reason in one line.

    An instance that the server has already counts as stored. When the server fails as a whole, that is the reason of
    every file that is left: the masks are written, and can be stored later.

    Raises:
        UsageError: for an unusable address or credentials.
    """
    from requests import RequestException

    files, problems = list(paths), {}
    with connected(url) as client:
        for index, path in enumerate(files):
            try:
                problem = _store(client, path)
            except RequestException as error:
                problem = f"{client.base_url}: {server_problem(error)}"
                problems.update({left: f"{left.name}: not stored, {problem}" for left in files[index:]})
                break
            if problem:
                problems[path] = f"{path.name}: not stored, {problem}"
    return problems


def _store(client: DICOMwebClient, path: Path) -> str:
    """Store one file; the problem, or "" when the server has the instance now."""
    from pydicom import Dataset, dcmread
    from requests import HTTPError

    dataset = dcmread(path)
    try:
        answer = client.store_instances([dataset])
    except HTTPError as error:
        if error.response is None or is_fatal(error):
            raise
        try:  # PS3.18 section 10.5.3: 409 comes with the reasons as well
            answer = Dataset.from_json(error.response.json())
        except Exception:
            return server_problem(error)
    uid = dataset.SOPInstanceUID
    for item in answer.get("FailedSOPSequence") or ():
        if item.get("ReferencedSOPInstanceUID") == uid:
            reason = int(item.get("FailureReason") or 0)
            return "" if reason == DUPLICATE else f"the server refused it (failure reason {reason:04X}H); see its log"
    if any(item.get("ReferencedSOPInstanceUID") == uid for item in answer.get("ReferencedSOPSequence") or ()):
        return ""
    try:  # Orthanc 1.10 names neither what it took nor what it did not where an identifier is missing
        found = client.search_for_instances(dataset.StudyInstanceUID, dataset.SeriesInstanceUID)
    except ValueError:  # not even to be asked for
        found = []
    return "" if any(first_value(item, "SOPInstanceUID") == uid for item in found) else "the server does not list it"
