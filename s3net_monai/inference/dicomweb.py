"""A study from a DICOMweb server, and masks back to it (PS3.18 chapter 10: QIDO-RS, WADO-RS, STOW-RS)."""

from __future__ import annotations

import logging
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from s3net_monai.inference.cases import PassedOver
from s3net_monai.inference.dicomweb_json import all_pages, first_value, integer
from s3net_monai.inference.dicomweb_server import connected, ends_the_run, server_problem
from s3net_monai.inference.errors import UsageError
from s3net_monai.io.atomic import atomic_path

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

# What a bundle's task can segment; of a task that is not named here, whatever is an image.
TASK_MODALITIES = {"lung": frozenset({"CT"}), "skin": frozenset({"XC", "DMS", "GM", "OT"})}
NO_IMAGES = frozenset({"SEG", "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTRECORD", "REG", "DOC", "AU", "ECG", "FID"})
MAX_INSTANCES = 20_000
MAX_BYTES = 50 * 2**30
AS_STORED = (("application/dicom", "*"),)  # in the transfer syntax that the server holds, whichever it is
DUPLICATE = 0x0111  # failure reason (PS3.4 annex GG): the server has this instance already

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchedStudy:
    """The images of a study as files, one folder a series, and the series that were passed over unfetched."""

    files: tuple[Path, ...]
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True)
class _Series:
    uid: str
    number: int
    modality: str
    listed: int  # instances that the server says it has

    def name(self) -> str:
        return f"{self.modality or 'nameless'} series {self.number}"


def fetch_study(
    url: str, study: str, folder: Path, task: str, *, max_instances: int = MAX_INSTANCES, max_bytes: int = MAX_BYTES
) -> FetchedStudy:
    """Fetch the image series of ``study`` (StudyInstanceUID) that ``task`` can segment into ``folder``.

    The files are ``folder/series<n>/<m>.dcm``, in order of series and instance number and in the transfer syntax of the
    server; no name holds an identifier. They come one at a time. An instance that the server cannot hand out leaves an
    empty file in its place, so that its series is refused by name later, alone. Should the fetching fail as a whole,
    nothing is left.

    Raises:
        UsageError: as ``connected`` does; and for a study that is not found, holds no image for the task, or exceeds
            ``max_instances`` or ``max_bytes``; for a ``folder`` that holds something.
    """
    if len(study) > 64 or not re.fullmatch(r"[0-9]+([.][0-9]+)*", study):
        raise UsageError("--study: not a StudyInstanceUID; give digits and dots, at most 64")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder.name}: not empty; the study needs a folder of its own")
    with connected(url) as client:
        wanted, passed_over = _choose(_series_of(client, study), task, client.base_url)
        instances = {series: _instances_of(client, study, series) for series in wanted}
        total = sum(len(uids) for uids in instances.values())
        if total > max_instances:
            raise UsageError(f"{client.base_url}: {total} images in the study, at most {max_instances} are fetched")
        try:
            files = _fetch(client, study, instances, folder, max_bytes)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # half a series would look like a whole one
            raise
    return FetchedStudy(tuple(files), tuple(passed_over))


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


def _series_of(client: DICOMwebClient, study: str) -> list[_Series]:
    """All series of the study by number; metadata only."""
    from requests import HTTPError

    missing = f"{client.base_url}: the study was not found; check its UID and what the account may see"
    try:
        found = all_pages(
            lambda offset: client.search_for_series(study, offset=offset, fields=["NumberOfSeriesRelatedInstances"]),
            "SeriesInstanceUID",
        )
    except HTTPError as error:
        if error.response is not None and error.response.status_code == 404:
            raise UsageError(f"{missing}, and that the address is the root of the DICOMweb services") from None
        raise
    if not found:
        raise UsageError(missing)
    series = [
        _Series(
            uid,
            integer(item, "SeriesNumber"),
            str(first_value(item, "Modality") or "").upper(),
            integer(item, "NumberOfSeriesRelatedInstances"),
        )
        for uid, item in found.items()
    ]
    return sorted(series, key=lambda each: (each.number, each.uid))


def _choose(found: list[_Series], task: str, address: str) -> tuple[list[_Series], list[PassedOver]]:
    """The series to fetch, and why not the others. A series without modality is left to the reader's judgement."""
    allowed = TASK_MODALITIES.get(task)
    wanted, passed_over = [], []
    for series in found:
        if series.modality in NO_IMAGES:
            passed_over.append(PassedOver(address, series.name(), "holds no images"))
        elif series.modality and allowed is not None and series.modality not in allowed:
            passed_over.append(PassedOver(address, series.name(), f"not of {' or '.join(sorted(allowed))}, for {task}"))
        else:
            wanted.append(series)
    if not wanted:
        names = ", ".join(series.name() for series in found)
        raise UsageError(f"{address}: no series of the study is for task {task} (found {names}); check --study, --task")
    return wanted, passed_over


def _instances_of(client: DICOMwebClient, study: str, series: _Series) -> list[str]:
    """SOP instance UIDs of the series by instance number; none where the server cannot list all of them."""
    try:
        found = all_pages(
            lambda offset: client.search_for_instances(study, series.uid, offset=offset), "SOPInstanceUID"
        )
    except Exception as error:  # Orthanc, for one, opens the files to answer, and one may be damaged
        if ends_the_run(error):
            raise
        logger.warning("%s: images not listed, %s; the series will be refused", series.name(), _why(error))
        return []
    if len(found) < series.listed:
        # A reader sees a gap, not that a series ends too early.
        given = f"{len(found)} of {series.listed} images listed"
        logger.warning("%s: %s, raise the server's limit of results; the series will be refused", series.name(), given)
        return []
    return sorted(found, key=lambda uid: (integer(found[uid], "InstanceNumber"), uid))


def _fetch(
    client: DICOMwebClient, study: str, instances: dict[_Series, list[str]], folder: Path, max_bytes: int
) -> list[Path]:
    files: list[Path] = []
    size = 0
    total = sum(len(uids) for uids in instances.values())
    with tqdm(total=total, desc="fetching", unit="image", file=sys.stderr) as progress:
        for number, (series, uids) in enumerate(instances.items(), start=1):
            target = folder / f"series{number}"
            target.mkdir(parents=True)
            if not uids:
                files.append(_absent(target / f"{1:05d}.dcm"))
            for index, uid in enumerate(uids, start=1):
                files.append(target / f"{index:05d}.dcm")
                try:
                    _fetch_instance(client, (study, series.uid, uid), files[-1])
                except Exception as error:  # whatever the server or a damaged instance provokes
                    if ends_the_run(error):
                        raise
                    logger.warning("%s, image %d: %s; the series will be refused", series.name(), index, _why(error))
                    _absent(files[-1])
                    progress.update(len(uids) - index + 1)
                    break
                progress.update()
                size += files[-1].stat().st_size
                if size > max_bytes:
                    raise UsageError(f"{client.base_url}: the study exceeds the {max_bytes / 2**30:.3g} GiB allowed")
    return files


def _fetch_instance(client: DICOMwebClient, uids: tuple[str, str, str], path: Path) -> None:
    dataset = client.retrieve_instance(*uids, media_types=AS_STORED)
    received = tuple(dataset.get(f"{level}InstanceUID") for level in ("Study", "Series", "SOP"))
    if received != uids:
        raise ValueError("another instance arrived than was asked for")
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)


def _absent(path: Path) -> Path:
    """An empty file in place of what could not be had: the reader refuses it, and the series with it."""
    path.touch()
    return path


def _why(error: Exception) -> str:
    from requests import RequestException

    # Texts of parsers may quote what they could not parse.
    return server_problem(error) if isinstance(error, RequestException) else f"not usable ({type(error).__name__})"


def _store(client: DICOMwebClient, path: Path) -> str:
    """Store one file; the problem, or "" when the server has the instance now."""
    from pydicom import Dataset, dcmread
    from requests import HTTPError

    dataset = dcmread(path)
    try:
        answer = client.store_instances([dataset])
    except HTTPError as error:
        if error.response is None or ends_the_run(error):
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
