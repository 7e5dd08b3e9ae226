"""What a study on a DICOMweb server holds, by search alone (QIDO-RS, PS3.18 section 10.6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3net_monai.inference.discovery.cases import ExcludedSeries
from s3net_monai.tasks import TASKS
from s3net_monai.utils.errors import CaseError, UsageError

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

NO_IMAGES = frozenset({"SEG", "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTRECORD", "REG", "DOC", "AU", "ECG", "FID"})


@dataclass(frozen=True)
class Series:
    """A series by its ``uid``; ``count`` is how many instances it has, 0 where the server does not say."""

    uid: str
    number: int
    modality: str
    count: int

    def __str__(self) -> str:
        """How messages name it."""
        return f"{self.modality or 'nameless'} series {self.number}"


def search_series(client: DICOMwebClient, study: str) -> list[Series]:
    """All series of the study, by number.

    Raises:
        UsageError: when the server knows no such study.
    """
    from requests import HTTPError

    missing = f"{client.base_url}: the study was not found; check its UID and what the account may see"
    try:
        found = _all_pages(
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
        Series(
            uid,
            _integer(item, "SeriesNumber"),
            re.sub(r"\W", "", str(first_value(item, "Modality") or "")).upper()[:16],
            _integer(item, "NumberOfSeriesRelatedInstances"),
        )
        for uid, item in found.items()
    ]
    return sorted(series, key=lambda each: (each.number, each.uid))


def choose_series(found: list[Series], task: str, address: str) -> tuple[list[Series], list[ExcludedSeries]]:
    """The series to fetch, and why not the others. A series without modality is left to the reader's judgment.

    Raises:
        UsageError: when the task can use none.
    """
    allowed = TASKS[task].dicom_modalities
    if not allowed:
        raise UsageError(f"task {task} reads no DICOM; {TASKS[task].dicom_remedy}")
    wanted, excluded = [], []
    for series in found:
        if series.modality in NO_IMAGES:
            excluded.append(ExcludedSeries(address, str(series), "holds no images"))
        elif series.modality and series.modality not in allowed:
            excluded.append(ExcludedSeries(address, str(series), f"not of {' or '.join(sorted(allowed))}, for {task}"))
        else:
            wanted.append(series)
    if not wanted:
        names = ", ".join(str(series) for series in found)
        raise UsageError(f"{address}: no series of the study is for task {task} (found {names}); check --study, --task")
    return wanted, excluded


def search_instances(client: DICOMwebClient, study: str, series: Series) -> list[str]:
    """SOP instance UIDs of the series, by instance number.

    Raises:
        CaseError: when the server does not list all of them.
    """
    found = _all_pages(lambda offset: client.search_for_instances(study, series.uid, offset=offset), "SOPInstanceUID")
    if len(found) < series.count:
        # A reader sees a gap, not that a series ends too early.
        given = f"{len(found)} of {series.count} images listed"
        raise CaseError(f"{series}: {given}; raise the limit of results in the server's settings")
    return sorted(found, key=lambda uid: (_integer(found[uid], "InstanceNumber"), uid))


def _all_pages(search: Callable[[int | None], list[Any]], keyword: str) -> dict[str, dict[str, Any]]:
    """Results of ``search`` from an offset on, by the UID ``keyword``, until nothing new comes.

    A server that knows no offset repeats itself, which ends it as well.

    Raises:
        InvalidJSONError: (of requests) when the answer is something else than search results.
    """
    from requests.exceptions import InvalidJSONError

    found: dict[str, dict[str, Any]] = {}
    while True:
        known = len(found)
        for item in search(known or None):
            uid = first_value(item, keyword)
            if not uid:
                raise InvalidJSONError("not DICOM JSON")
            found.setdefault(str(uid), item)
        if len(found) == known:
            return found


def first_value(item: Any, keyword: str) -> Any:
    """First value of an attribute in DICOM JSON (PS3.18 annex F), or None."""
    from pydicom.datadict import tag_for_keyword

    attribute = item.get(f"{tag_for_keyword(keyword):08X}") if isinstance(item, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _integer(item: Any, keyword: str) -> int:
    """An integer attribute in DICOM JSON; 0 where it is absent or no number."""
    try:
        return int(first_value(item, keyword) or 0)
    except (TypeError, ValueError):
        return 0
