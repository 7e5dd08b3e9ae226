"""A real Orthanc server for tests that need a DICOM archive: the system's, or the current release.

The system's is of Debian's ``orthanc`` and ``orthanc-dicomweb``, the current release of ``scripts/get_orthanc.sh``.
Tests that use one are skipped where it is not installed.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.paths import ROOT

RELEASES = ("system", "current")
CURRENT = ROOT / ".viewers" / "orthanc"
PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins")
PLUGIN = "libOrthancDicomWeb.so"
MAX_START_ATTEMPTS = 3  # another program may occupy the free port before Orthanc does
MAX_START_SECONDS = 30.0


@dataclass
class Orthanc:
    """A running server.

    Attributes:
        url: address of Orthanc's REST interface, without credentials.
        dicomweb_url: root of its DICOMweb services, without credentials.
        log: file with Orthanc's output.
        process: the server process.
        credentials: user and password that it requires, if any.
    """

    url: str
    dicomweb_url: str
    log: Path
    process: subprocess.Popen[bytes]
    credentials: tuple[str, str] | None = None

    def with_credentials(self, url: str) -> str:
        """Return ``url`` with user and password in it, as a user would type it."""
        return url if self.credentials is None else url.replace("//", "//{}:{}@".format(*self.credentials), 1)

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Call Orthanc's REST interface, and raise for every status but success."""
        response = self.session.request(method, self.url + path, timeout=30, **arguments)
        response.raise_for_status()
        return response

    def upload(self, paths: Iterable[Path]) -> list[str]:
        """Store DICOM files, given as files or folders of files, and return Orthanc's ids of the instances."""
        files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
        return [self.request("POST", "/instances", data=file.read_bytes()).json()["ID"] for file in files]

    def instances(self) -> list[dict[str, Any]]:
        """Return Orthanc's description of every stored instance, with its main tags."""
        instances: list[dict[str, Any]] = self.request("GET", "/instances?expand").json()
        return instances

    def file(self, instance: str) -> bytes:
        """Return the stored DICOM file of an instance, by Orthanc's id."""
        return self.request("GET", f"/instances/{instance}/file").content

    def stored_file(self, instance: str) -> Path:
        """Return the path of that file in Orthanc's storage, for tests that damage it."""
        name = self.request("GET", f"/instances/{instance}/attachments/dicom/info").json()["Uuid"]
        return self.log.parent / "storage" / name[:2] / name[2:4] / name

    def clear(self) -> None:
        """Delete every patient."""
        for patient in self.request("GET", "/patients").json():
            self.request("DELETE", f"/patients/{patient}")

    def stop(self) -> None:
        """Kill the server, as a crash would; harmless if it has already ended."""
        self.process.kill()
        self.process.wait()

    @property
    def version(self) -> str:
        """Orthanc's own version."""
        return str(self.request("GET", "/system").json()["Version"])

    @property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # a proxy must not stand between two programs on one machine
        if self.credentials is not None:
            session.auth = tuple(text.encode() for text in self.credentials)  # text would be encoded as Latin-1
        return session


@contextmanager
def running_orthanc(
    folder: Path,
    *,
    credentials: tuple[str, str] | None = None,
    settings: dict[str, Any] | None = None,
    release: str = "system",
) -> Iterator[Orthanc]:
    """Start Orthanc with an empty archive in ``folder``, and stop it at the end.

    Skips the test if this release of Orthanc or its DICOMweb plugin is not installed.

    Args:
        folder: for archive, configuration and log.
        credentials: user and password; they turn authentication on.
        settings: additions to Orthanc's configuration.
        release: one of ``RELEASES``.
    """
    if release == "current":
        program, plugin = shutil.which(CURRENT / "Orthanc"), _plugin([CURRENT / "usr/share/orthanc/plugins"])
        remedy = "bash scripts/get_orthanc.sh"
    else:
        program = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        plugin, remedy = _plugin(map(Path, PLUGIN_FOLDERS)), "apt-get install orthanc orthanc-dicomweb"
    if program is None or plugin is None:
        pytest.skip(f"{release} Orthanc with its DICOMweb plugin not found; {remedy}")
    folder.mkdir(parents=True, exist_ok=True)
    server = _start(program, plugin, folder, credentials, settings or {})
    try:
        yield server
    finally:
        server.stop()


def _plugin(folders: Iterable[Path]) -> Path | None:
    return next((path for folder in folders if (path := folder / PLUGIN).exists()), None)


def _start(
    program: str, plugin: Path, folder: Path, credentials: tuple[str, str] | None, settings: dict[str, Any]
) -> Orthanc:
    log = folder / "orthanc.log"
    for _ in range(MAX_START_ATTEMPTS):
        port = _free_port()
        configuration = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": port,
            "DicomServerEnabled": False,
            "MaximumStorageCacheSize": 0,  # so that a stored file is read again after a test has damaged it
            # Orthanc listens on every address, but serves only clients on this machine with this setting.
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": credentials is not None,
            "RegisteredUsers": dict([credentials]) if credentials else {},
            "Plugins": [str(plugin)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **settings,
        }
        (folder / "orthanc.json").write_text(json.dumps(configuration, indent=2))
        with log.open("ab") as output:
            process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=output, stderr=output)
        url = f"http://127.0.0.1:{port}"
        server = Orthanc(url, f"{url}/dicom-web", log, process, credentials)
        if _answers(server):
            return server
        server.stop()
    raise RuntimeError("Orthanc did not start:\n" + log.read_text(errors="replace")[-2000:])


def _answers(server: Orthanc) -> bool:
    end = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        try:
            server.request("GET", "/system")
            return server.process.poll() is None
        except requests.RequestException:
            time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
