"""A real Orthanc server behind TLS, with a certificate from a private authority as hospitals use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from data_prep.phantom_dicom import write_ct_series
from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.utils.errors import UsageError
from tests.helpers.orthanc import Orthanc, running_orthanc
from tests.helpers.tls_front import tls_front

LOGIN = ("reader", "s3cret-Word")


@dataclass
class Https:
    """Orthanc, its https address with credentials, and the file of the authority behind its certificate."""

    orthanc: Orthanc
    url: str
    authority: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Https]:
    folder = tmp_path_factory.mktemp("https")
    with (
        running_orthanc(folder, credentials=LOGIN) as orthanc,
        tls_front(orthanc.dicomweb_url, folder) as (url, authority),
    ):
        yield Https(orthanc, orthanc.with_credentials(url), authority)


@pytest.fixture
def series(server: Https, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three slices on the server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.orthanc.clear()
    write_ct_series(np.zeros((5, 4, 3), np.int16), np.diag([-1.0, -1, 2, 1]), tmp_path / "series", case_id="P1")
    server.orthanc.upload([tmp_path / "series"])
    return tmp_path / "series"


def uid(series: Path) -> str:
    return str(dcmread(next(series.iterdir()), stop_before_pixels=True).StudyInstanceUID)


def test_fetch_and_store(
    server: Https, series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.authority))
    assert server.url.startswith("https://reader:")
    fetched = fetch_study(server.url, uid(series), folder=tmp_path / "fetched", task="lung")
    assert sorted(dcmread(file).SOPInstanceUID for file in fetched.files) == sorted(
        dcmread(file).SOPInstanceUID for file in series.iterdir()
    )
    server.orthanc.clear()
    assert store_files(server.url, fetched.files) == {}
    assert len(server.orthanc.instances()) == 3
    assert "unencrypted" not in caplog.text


def test_unnamed_authority_is_not_trusted(
    server: Https, series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(UsageError, match="certificate is not trusted; set REQUESTS_CA_BUNDLE to the file") as refusal:
        fetch_study(server.url, uid(series), folder=tmp_path / "fetched", task="lung")
    assert LOGIN[1] not in str(refusal.value)
    assert not (tmp_path / "fetched").exists()


def test_certificate_of_another_host_is_not_trusted(
    server: Https, series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right authority, wrong name: the certificate is valid for 127.0.0.1 only."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.authority))
    monkeypatch.setenv("NO_PROXY", "localhost")
    with pytest.raises(UsageError, match="certificate is not trusted"):
        fetch_study(server.url.replace("127.0.0.1", "localhost"), uid(series), folder=tmp_path / "fetched", task="lung")
