"""Search for the series and instances of a study on a DICOMweb server (QIDO-RS, PS3.18 section 10.6)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.limits import Allowance
from s3net_monai.inference.dicomweb.listing import read_items
from s3net_monai.inference.dicomweb.problems import AnswerError, ItemError, is_fatal
from s3net_monai.inference.dicomweb.server import Server
from s3net_monai.inference.discovery.cases import ExcludedSeries
from s3net_monai.io.dicom.uids import MAX_UID_LENGTH, is_uid
from s3net_monai.tasks import TASKS
from s3net_monai.utils.errors import CaseError, UsageError

ANY_JSON = "application/dicom+json, application/json"
MAX_COPIES = 10  # of one image that are asked for
NON_IMAGE_MODALITIES = frozenset(
    {"SEG", "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTRECORD", "REG", "DOC", "AU", "ECG", "FID"}
)


@dataclass(frozen=True, kw_only=True)
class SeriesOnServer:
    """A series as the server describes it.

    Attributes:
        uid: SeriesInstanceUID.
        number: SeriesNumber; 0 if the server does not state it.
        modality: in upper case; empty if the server does not state it.
        count: number of instances; 0 if the server does not state it.
    """

    uid: str
    number: int
    modality: str
    count: int

    def __str__(self) -> str:
        """Return the name of the series in messages."""
        return f"{self.modality or 'nameless'} series {self.number}"


def search_series(server: Server, study: str) -> list[SeriesOnServer]:
    """Return all series of the study, sorted by number.

    Raises:
        UsageError: when the server does not know the study.
    """
    from requests import HTTPError

    not_found = f"{server.address}: the study was not found; check its UID and the permissions of the account"
    try:
        items = _all_pages(
            server,
            f"/studies/{study}/series",
            "SeriesInstanceUID",
            ("SeriesNumber", "Modality", "NumberOfSeriesRelatedInstances"),
            include="NumberOfSeriesRelatedInstances",
            most=limits.SERIES,
            beyond=f"more than {limits.SERIES} series in the study; give one with fewer",
        )
    except HTTPError as error:
        if error.response is not None and error.response.status_code == 404:
            raise UsageError(f"{not_found}, and that the address is the root of the DICOMweb services") from None
        raise
    if not items:
        raise UsageError(not_found)
    series = [
        SeriesOnServer(
            uid=uid,
            number=_integer(item, "SeriesNumber"),
            modality=re.sub(r"\W", "", str(item.get("Modality") or "")).upper()[:16],
            count=_integer(item, "NumberOfSeriesRelatedInstances"),
        )
        for uid, item in items.items()
    ]
    return sorted(series, key=lambda one: (one.number, one.uid))


def choose_series(
    available: list[SeriesOnServer], task: str, address: str
) -> tuple[list[SeriesOnServer], list[ExcludedSeries]]:
    """Choose the series to fetch, and state why the others are excluded.

    A series without a modality is fetched, so that the reader can decide.

    Args:
        available: the series of the study.
        task: name of the task.
        address: the server's address for messages.

    Raises:
        UsageError: when the task can use none of them.
    """
    allowed = TASKS[task].dicom_modalities
    if not allowed:
        raise UsageError(f"task {task} reads no DICOM; give its images as files")
    selected, excluded = [], []
    for series in available:
        reason = ""
        if series.modality in NON_IMAGE_MODALITIES:
            reason = "contains no images"
        elif series.modality and series.modality not in allowed:
            reason = f"not {' or '.join(sorted(allowed))}, which task {task} expects"
        if reason:
            excluded.append(ExcludedSeries(input=address, series=str(series), reason=reason))
        else:
            selected.append(series)
    if not selected:
        names = ", ".join(str(series) for series in available)
        raise UsageError(f"{address}: no series of the study suits task {task} (found {names}); check --study, --task")
    return selected, excluded


def search_instances(server: Server, study: str, series: SeriesOnServer, *, most: int, beyond: str) -> list[str]:
    """Return the SOP instance UIDs of the series, sorted by instance number.

    Args:
        server: to ask.
        study: StudyInstanceUID.
        series: to list.
        most: images to accept.
        beyond: message for more.

    Raises:
        CaseError: when the server does not list all of them.
        AnswerError: when it lists more than ``most``, or without end.
        ItemError: when it lists something else than UIDs.
    """
    path = f"/studies/{study}/series/{series.uid}/instances"
    items = _all_pages(server, path, "SOPInstanceUID", ("InstanceNumber",), most=most, beyond=beyond)
    if len(items) < series.count:
        # A reader would notice a gap, but not a series that ends too early.
        listed = f"{len(items)} of {series.count} images listed"
        raise CaseError(f"{listed}; raise the limit of results in the server's settings")
    return sorted(items, key=lambda uid: (_integer(items[uid], "InstanceNumber"), uid))


def check_one_patient(server: Server, study: str) -> None:
    """Refuse a study that the archive lists under several patients.

    This happens when a study is stored again with another PatientID and its old UIDs. Archives answer to that in their
    own ways: Orthanc lists every image twice and then denies that it exists. Whatever is retrieved belongs to a patient
    that nobody has chosen. A server that cannot search for studies passes.

    Raises:
        UsageError: when it does.
    """
    from requests import HTTPError

    patients = set()
    try:
        for item in _page(server, "/studies", ("StudyInstanceUID", "PatientID"), {"StudyInstanceUID": study}):
            if item.get("StudyInstanceUID") == study:  # some servers ignore the filter
                patients.add(str(item.get("PatientID") or ""))
            if len(patients) == MAX_COPIES:
                break
    except HTTPError as error:
        if is_fatal(error):
            raise
        return
    if len(patients) > 1:
        raise UsageError(
            f"{server.address}: the archive holds the UID of this study under {len(patients)} patients, so nobody can "
            "tell whose images it would send; remove or merge the copies there, or store one with new UIDs"
        )


def has_copies(server: Server, instance: str) -> bool:
    """Return whether the archive lists several images with this SOPInstanceUID, in whichever study or series."""
    items = _page(server, "/instances", ("SOPInstanceUID",), {"SOPInstanceUID": instance, "limit": str(MAX_COPIES)})
    return sum(item.get("SOPInstanceUID") == instance for item in items) > 1


def is_listed(server: Server, study: str, series: str, instance: str) -> bool:
    """Return whether the archive lists an image; all three UIDs must have been checked."""
    items = _page(server, f"/studies/{study}/series/{series}/instances", ("SOPInstanceUID",), {})
    return any(item.get("SOPInstanceUID") == instance for item in items)


def _all_pages(
    server: Server,
    path: str,
    keyword: str,
    others: tuple[str, ...],
    *,
    most: int,
    beyond: str,
    include: str = "",
) -> dict[str, dict[str, Any]]:
    """Ask with increasing offsets until nothing new comes; the results by the UID ``keyword``.

    This also ends with a server that ignores the offset and repeats itself, and with one that has no page there (404).

    Args:
        server: to ask.
        path: of the search.
        keyword: of the UID of every result.
        others: keywords of more attributes to read.
        most: results to accept.
        beyond: message for more.
        include: keyword of an attribute to ask for.

    Raises:
        InvalidJSONError: (of requests) when the response does not consist of search results.
        AnswerError: for more results than ``most``, more pages than ``limits.PAGES``, and beyond ``limits.ALL_PAGES``.
        ItemError: for a UID that is none, since it would become part of an address.
    """
    from requests.exceptions import HTTPError, InvalidJSONError

    items: dict[str, dict[str, Any]] = {}
    size, end = server.adapter.received + limits.ALL_PAGES.size, time.monotonic() + limits.ALL_PAGES.seconds
    for _ in range(limits.PAGES):
        count = len(items)
        parameters = ({"includefield": include} if include else {}) | ({"offset": str(count)} if count else {})
        allowance = Allowance(
            min(limits.LISTING.size, size - server.adapter.received),
            min(limits.LISTING.seconds, end - time.monotonic()),
        )
        if allowance.size <= 0 or allowance.seconds <= 0:
            break
        try:
            for item in _page(server, path, (keyword, *others), parameters, allowance):
                uid = item.get(keyword)
                if not uid:
                    raise InvalidJSONError("not DICOM JSON")
                if not is_uid(uid):
                    raise ItemError(
                        f"a {keyword} in the listing is not a UID (numbers with dots between them, at most "
                        f"{MAX_UID_LENGTH} characters, expected); see the server's log"
                    )
                items.setdefault(uid, item)
                if len(items) > most:
                    raise AnswerError(beyond)
        except HTTPError as error:
            if not count or error.response is None or error.response.status_code != 404:
                raise
        if len(items) == count:
            return items
    raise AnswerError(
        f"a listing does not end ({len(items)} results so far; limits: {limits.PAGES} pages, "
        f"{limits.ALL_PAGES.size / 2**20:.4g} MiB, {limits.ALL_PAGES.seconds:g} s); see the server's log"
    )


def _page(
    server: Server,
    path: str,
    keywords: tuple[str, ...],
    parameters: dict[str, str],
    allowance: Allowance | None = None,
) -> Iterator[dict[str, Any]]:
    """The results of one search, as ``read_items`` yields them."""
    response = server.get(
        path, accept=ANY_JSON, allowance=allowance or limits.LISTING, parameters=list(parameters.items())
    )
    with response.raw as body:
        yield from read_items(body, keywords)


def _integer(item: dict[str, Any], keyword: str) -> int:
    """The value of an integer attribute; 0 if it is absent or not a number."""
    try:
        return max(int(item.get(keyword) or 0), 0)
    except (TypeError, ValueError, OverflowError):
        return 0
