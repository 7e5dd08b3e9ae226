"""Servers that are busy and say when to come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults import answers
from benchmarks.faults.answers import JSON
from data_prep.phantom_dicom import write_ct_series
from s3net_monai.inference.dicomweb import limits, session
from s3net_monai.inference.dicomweb.retry_after import seconds_to_wait
from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.utils.errors import UsageError


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client waits, which pass at once."""
    pauses: list[float] = []
    monkeypatch.setattr(session.time, "sleep", pauses.append)
    return pauses


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)


def busy(status: int, *values: str) -> tuple[Callable[[BaseHTTPRequestHandler], None], list[str]]:
    """An archive without studies that is first busy, once for every value of Retry-After; and its requests."""
    requests: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        requests.append(handler.command)
        if len(requests) <= len(values):
            headers = {"Retry_After": value} if (value := values[len(requests) - 1]) else {}
            answers.whole(handler, b"", JSON, status, **headers)
        else:
            answers.whole(handler, b"[]")

    return answer, requests


def search(answer: Callable[[BaseHTTPRequestHandler], None], tmp_path: Path) -> str:
    """The error of a run, and the address in it as URL."""
    with answers.serving(answer) as url, pytest.raises(UsageError) as caught:
        fetch_study(url, "1.2.3", folder=tmp_path / "fetched", task="lung")
    return str(caught.value).replace(url, "URL")


@pytest.mark.parametrize("status", [429, 503])
def test_a_stated_time_is_waited_for(tmp_path: Path, pauses: list[float], status: int) -> None:
    answer, requests = busy(status, "7", http_date(30), "60")
    assert "the study was not found" in search(answer, tmp_path)
    assert pauses[0] == 7
    assert 27 < pauses[1] < 30
    assert pauses[2] == 60
    assert len(requests) == 4


def test_without_a_stated_time_the_pauses_grow(tmp_path: Path, pauses: list[float]) -> None:
    answer, requests = busy(503, "", "soon", "-5", "")
    assert search(answer, tmp_path) == "URL: the server responded with HTTP 503; see its log"
    assert pauses == [0, 2 * limits.BACKOFF_SECONDS, 4 * limits.BACKOFF_SECONDS]
    assert len(requests) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_too_long_a_wait_is_named(tmp_path: Path, pauses: list[float], status: int) -> None:
    for seconds, value in ((7200, "7200"), (7200, http_date(7200)), (90, "90")):
        answer, requests = busy(status, value)
        earliest = datetime.now(timezone.utc) + timedelta(seconds=seconds - 10)
        problem = search(answer, tmp_path)
        assert problem.startswith(f"URL: the server is busy (HTTP {status}) and asks to come back at ")
        moment = datetime.strptime(problem[problem.index(" at ") :], " at %Y-%m-%d %H:%M UTC; start again then")
        assert earliest < moment.replace(tzinfo=timezone.utc) < earliest + timedelta(seconds=90)
        assert len(requests) == 1
    assert pauses == []


def test_all_pauses_together_have_a_limit(tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ALL_PAUSES_SECONDS", 100.0)
    answer, requests = busy(503, "50", "40", "30")
    assert "asks to come back at" in search(answer, tmp_path)
    assert pauses == [50, 40]
    assert len(requests) == 3


def test_a_mask_is_sent_again(tmp_path: Path, pauses: list[float]) -> None:
    write_ct_series(np.zeros((800, 800, 1), np.int16), np.diag([-1.0, -1, 2, 1]), tmp_path / "ct", case_id="P1")
    (path,) = (tmp_path / "ct").iterdir()  # as good as a mask; of more than a megabyte
    bodies = []
    answer, _ = busy(429, "3")

    def remember(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "POST":
            bodies.append(int(handler.headers["Content-Length"]))
        answer(handler)

    with answers.serving(remember) as url:
        store_files(url, [path])
    assert pauses == [3]
    assert bodies[0] == bodies[1] > path.stat().st_size


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", 0), ("12", 12), (" 12 ", 12), ("1.5", 0), ("9" * 13, 0), ("soon", 0), ("Fri, 31 Dec 1999 23:59:59 GMT", 0)],
)
def test_values_of_retry_after(value: str, seconds: float) -> None:
    assert seconds_to_wait({"Retry-After": value}) == seconds
    assert seconds_to_wait({}) == 0
    assert 3500 < seconds_to_wait({"Retry-After": http_date(3600)}) <= 3600
    assert 3500 < seconds_to_wait({"Retry-After": http_date(3600).replace("GMT", "-0000")}) <= 3600


def test_a_far_date_is_named(tmp_path: Path, pauses: list[float]) -> None:
    answer, _ = busy(503, "9" * 12)
    assert "asks to come back in more than a thousand years" in search(answer, tmp_path)
    assert pauses == []
