"""Addresses, credentials and redirects of DICOMweb servers that are refused."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from s3net_monai.inference.dicomweb.server import TOKEN_VARIABLE
from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.utils.errors import UsageError


@pytest.mark.parametrize("study", ["", "1.2/../3", "1..2", "name", "1." * 40 + "1"])
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
        "http://[::1]/",
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


class _Redirecting(BaseHTTPRequestHandler):
    """Redirects every request to another host and records it."""

    requests: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.requests.append((self.path, self.headers.get("Authorization")))
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.server.server_port}/other")  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_redirects_are_refused_and_a_token_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Redirecting.requests = []
    web = ThreadingHTTPServer(("127.0.0.1", 0), _Redirecting)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    try:
        with pytest.raises(UsageError, match="redirects to localhost; give the final address") as caught:
            fetch_study(f"http://127.0.0.1:{web.server_port}/web", "1.2.3", folder=tmp_path / "fetched", task="lung")
    finally:
        web.shutdown()
        web.server_close()
    assert "secret" not in str(caught.value)
    assert [authorization for _, authorization in _Redirecting.requests] == ["Bearer secret"]
    assert _Redirecting.requests[0][0].startswith("/web/studies/1.2.3/series")
