"""Search for the series and instances of a study on a DICOMweb server (QIDO-RS, PS3.18 section 10.6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3net_monai.inference.dicomweb.server import is_fatal
from s3net_monai.inference.discovery.cases import ExcludedSeries
from s3net_monai.tasks import TASKS
from s3net_monai.utils.errors import CaseError, UsageError

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

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


def search_series(client: DICOMwebClient, study: str) -> list[SeriesOnServer]:
    """Return all series of the study, sorted by number.

    Raises:
        UsageError: when the server does not know the study.
    """
    from requests import HTTPError

    not_found = f"{client.base_url}: the study was not found; check its UID and the permissions of the account"
    try:
        items = _all_pages(
            lambda offset: client.search_for_series(study, offset=offset, fields=["NumberOfSeriesRelatedInstances"]),
            "SeriesInstanceUID",
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
            modality=re.sub(r"\W", "", str(first_value(item, "Modality") or "")).upper()[:16],
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


def search_instances(client: DICOMwebClient, study: str, series: SeriesOnServer) -> list[str]:
    """Return the SOP instance UIDs of the series, sorted by instance number.

    Raises:
        CaseError: when the server does not list all of them.
    """
    items = _all_pages(lambda offset: client.search_for_instances(study, series.uid, offset=offset), "SOPInstanceUID")
    if len(items) < series.count:
        # A reader would notice a gap, but not a series that ends too early.
        listed = f"{len(items)} of {series.count} images listed"
        raise CaseError(f"{listed}; raise the limit of results in the server's settings")
    return sorted(items, key=lambda uid: (_integer(items[uid], "InstanceNumber"), uid))


def check_one_patient(client: DICOMwebClient, study: str) -> None:
    """Refuse a study that the archive lists under several patients.

    This happens when a study is stored again with another PatientID and its old UIDs. Archives answer to that in their
    own ways: Orthanc lists every image twice and then denies that it exists. Whatever is retrieved belongs to a patient
    that nobody has chosen. A server that cannot search for studies passes.

    Raises:
        UsageError: when it does.
    """
    from requests import HTTPError

    try:
        items = client.search_for_studies(search_filters={"StudyInstanceUID": study})
    except HTTPError as error:
        if is_fatal(error):
            raise
        return
    # Some servers ignore the filter.
    found = [item for item in items if first_value(item, "StudyInstanceUID") == study]
    patients = {str(first_value(item, "PatientID") or "") for item in found}
    if len(patients) > 1:
        raise UsageError(
            f"{client.base_url}: the archive holds the UID of this study under {len(patients)} patients, so nobody can "
            "tell whose images it would send; remove or merge the copies there, or store one with new UIDs"
        )


def has_copies(client: DICOMwebClient, instance: str) -> bool:
    """Return whether the archive lists several images with this SOPInstanceUID, in whichever study or series."""
    items = client.search_for_instances(search_filters={"SOPInstanceUID": instance}, limit=MAX_COPIES)
    return sum(first_value(item, "SOPInstanceUID") == instance for item in items) > 1


def _all_pages(search: Callable[[int | None], list[Any]], keyword: str) -> dict[str, dict[str, Any]]:
    """Call ``search`` with increasing offsets until it returns nothing new; the results by the UID ``keyword``.

    This also ends with a server that ignores the offset and repeats itself.

    Raises:
        InvalidJSONError: (of requests) when the response does not consist of search results.
    """
    from requests.exceptions import InvalidJSONError

    items: dict[str, dict[str, Any]] = {}
    while True:
        count = len(items)
        for item in search(count or None):
            uid = first_value(item, keyword)
            if not uid:
                raise InvalidJSONError("not DICOM JSON")
            items.setdefault(str(uid), item)
        if len(items) == count:
            return items


def first_value(item: Any, keyword: str) -> Any:
    """Return the first value of an attribute in DICOM JSON (PS3.18 annex F), or None."""
    from pydicom.datadict import tag_for_keyword

    attribute = item.get(f"{tag_for_keyword(keyword):08X}") if isinstance(item, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _integer(item: Any, keyword: str) -> int:
    """The value of an integer attribute in DICOM JSON; 0 if it is absent or not a number."""
    try:
        return int(first_value(item, keyword) or 0)
    except (TypeError, ValueError):
        return 0
