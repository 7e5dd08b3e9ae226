"""Addresses, credentials and redirects of DICOMweb servers that are refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from benchmarks.faults import answers
from benchmarks.faults.answers import JSON, Answer, item, listing
from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.loopback import is_loopback
from s3net_monai.inference.dicomweb.server import TOKEN_VARIABLE
from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.io.dicom.uids import is_uid
from s3net_monai.utils.errors import UsageError


@pytest.mark.parametrize("study", ["", "1.2/../3", "1..2", "1.02", "name", "1." * 40 + "1"])
def test_invalid_uid_never_reaches_the_server(study: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--study: not a StudyInstanceUID"):
        fetch_study("http://127.0.0.1:9/dicom-web", study, folder=tmp_path / "fetched", task="lung")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "server",
        "ftp://a/b",
        "http://",
        "http://me:secret@",
        "http://me:secret@h:x/",
        "http://h/?a",
        "http://[::1",
        "http://[1:2:3]/",
        "http://[fe80::1%eth0]/",
    ],
)
def test_invalid_address_is_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--dicomweb: not the address of a DICOMweb server") as caught:
        fetch_study(url, "1.2.3", folder=tmp_path / "fetched", task="lung")
    assert "secret" not in str(caught.value)


def test_credentials_are_not_sent_unencrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^http://pacs.example/dicom: .*unencrypted; give an https address") as caught:
        fetch_study("http://me:secret@pacs.example/dicom/", "1.2.3", folder=tmp_path / "fetched", task="lung")
    assert "secret" not in str(caught.value)
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    with pytest.raises(UsageError, match="unencrypted"):
        store_files("http://pacs.example/dicom", [])


@contextmanager
def recorder(answer: Answer, host: str = "127.0.0.1") -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server; yields its address, and method with address and Authorization of all requests."""
    requests: list[tuple[str, str | None]] = []

    def record(handler: BaseHTTPRequestHandler) -> None:
        requests.append((f"{handler.command} {handler.path}", handler.headers["Authorization"]))
        answer(handler)

    with answers.serving(record, host) as url:
        yield url, requests


def no_studies(handler: BaseHTTPRequestHandler) -> None:
    answers.whole(handler, b"[]")


def refusal(url: str, tmp_path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        fetch_study(url, "1.2.3", folder=tmp_path / "fetched", task="lung")
    assert "secret" not in str(caught.value)
    return str(caught.value)


def test_redirects_are_refused_and_a_token_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    with recorder(lambda h: answers.whole(h, b"", JSON, 302, Location="http://localhost:1/other")) as (url, requests):
        assert "redirects to localhost; give the final address" in refusal(url, tmp_path)
    assert [authorization for _, authorization in requests] == ["Bearer secret"]
    assert requests[0][0].startswith("GET /web/studies/1.2.3/series")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "LocalHost", "[::1]"])
def test_no_proxy_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, variable: str) -> None:
    address = {"[::1]": "::1", "127.0.0.2": host}.get(host, "127.0.0.1")
    if address == "::1" and not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    with recorder(no_studies) as (proxy, seen), recorder(no_studies, address) as (url, requests):
        monkeypatch.setenv(variable, proxy)
        named = url.replace(f"//{address}:" if host != "[::1]" else "//::1:", f"//{host}:")
        assert "the study was not found" in refusal(named, tmp_path)
    assert seen == []
    assert requests == [("GET /web/studies/1.2.3/series?includefield=NumberOfSeriesRelatedInstances", "Bearer secret")]


def test_a_proxy_sees_no_credentials_and_no_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    monkeypatch.setenv("no_proxy", "")
    with recorder(lambda handler: answers.whole(handler, b"", JSON, 403)) as (proxy, seen):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("https_proxy", proxy)
        assert "unencrypted; give an https address" in refusal("http://pacs.example/web", tmp_path)
        assert seen == []
        refusal("https://pacs.example/web", tmp_path)
    assert set(seen) == {("CONNECT pacs.example:443", None)}


def test_a_dripping_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(limits, "LISTING", limits.Allowance(1000, 0.3))
    start = time.monotonic()
    with recorder(lambda handler: answers.drip(handler, b"HTTP/1.1 200 OK\r\nX: ", 0.05)) as (proxy, _):
        monkeypatch.setenv("https_proxy", proxy)
        assert "no complete answer within 0.3 s" in refusal("https://pacs.example/web", tmp_path)
    assert time.monotonic() - start < 3


def test_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with recorder(no_studies) as (url, requests):
        refusal(url, tmp_path)
    assert [authorization for _, authorization in requests] == [None]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.255.0.9", "127.0.0.1.", "::1", "0:0:0:0:0:0:0:1"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.example", "localhost..", "127.1", "0x7f.0.0.1", "128.0.0.1", "127.0.0.1.example", "::2"]
)
def test_other_hosts(host: str) -> None:
    assert not is_loopback(host)


FOREIGN = [
    "1.2/../../9",
    "1.2?a",
    "1.2#a",
    "1.2%2f9",
    "1.2\r\nX: y",
    "1..2",
    ".1",
    "1.2.",
    "1.02",
    "x",
    " 1.2",
    "1.2\n",
]


@pytest.mark.parametrize("uid", [*FOREIGN, "1." * 32 + "1", "\u0661.2", 7])
def test_uid_of_a_listing_is_checked_before_it_is_sent(tmp_path: Path, uid: object) -> None:
    series = [item(SeriesInstanceUID="1.2.3.4", Modality="CT")]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        instances = handler.path.partition("?")[0].endswith("/instances")
        answers.whole(handler, listing(item(SOPInstanceUID=uid)) if instances else listing(*series))

    with recorder(answer) as (url, requests):
        problem = refusal(url, tmp_path)
    assert "CT series 0: a SOPInstanceUID in the listing is not a UID (numbers with dots between them" in problem
    assert len(str(uid)) < 4 or str(uid) not in problem
    assert requests[-1][0] == "GET /web/studies/1.2.3/series/1.2.3.4/instances"

    series.append(item(SeriesInstanceUID=uid, Modality="CT"))
    with recorder(answer) as (url, requests):
        problem = refusal(url, tmp_path)
    assert problem.startswith(f"{url}: a SeriesInstanceUID in the listing is not a UID")
    assert len(requests) == 1


@pytest.mark.parametrize("uid", ["0", "1.2.840.10008.1.2", "2.25.0", "1." * 31 + "12"])
def test_uids(uid: str) -> None:
    assert is_uid(uid)
