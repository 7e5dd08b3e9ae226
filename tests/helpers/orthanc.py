"""A real Orthanc server (Debian's ``orthanc`` and ``orthanc-dicomweb``) for the tests that need a DICOM archive.

``from orthanc import running_orthanc`` in a test module. On a machine without Orthanc its tests are skipped.
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

PLUGIN_PLACES = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins")
PLUGIN = "libOrthancDicomWeb.so"
START_ATTEMPTS = 3  # another program may take the free port before Orthanc does
START_SECONDS = 30.0


@dataclass
class Orthanc:
    """A running server.

    Attributes:
        url: of Orthanc's own interface, without credentials.
        dicomweb_url: root of its DICOMweb services, without credentials.
        log: file with everything that Orthanc said.
        process: Orthanc itself.
        credentials: user and password that it asks for, if any.
    """

    url: str
    dicomweb_url: str
    log: Path
    process: subprocess.Popen[bytes]
    credentials: tuple[str, str] | None = None

    def with_credentials(self, url: str) -> str:
        """``url`` with user and password in it, as a user would type it."""
        return url if self.credentials is None else url.replace("//", "//{}:{}@".format(*self.credentials), 1)

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Call Orthanc's own interface; anything but success raises."""
        response = self.session.request(method, self.url + path, timeout=30, **arguments)
        response.raise_for_status()
        return response

    def upload(self, paths: Iterable[Path]) -> list[str]:
        """Store DICOM files, given as files or folders of files; returns Orthanc's own ids of the instances."""
        files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
        return [self.request("POST", "/instances", data=file.read_bytes()).json()["ID"] for file in files]

    def instances(self) -> list[dict[str, Any]]:
        """What is stored: Orthanc's description of every instance, with its main tags."""
        found: list[dict[str, Any]] = self.request("GET", "/instances?expand").json()
        return found

    def file(self, instance: str) -> bytes:
        """The DICOM file of an instance (Orthanc's own id), as it is stored."""
        return self.request("GET", f"/instances/{instance}/file").content

    def stored_file(self, instance: str) -> Path:
        """Where that file lies in Orthanc's storage, for tests that damage it."""
        name = self.request("GET", f"/instances/{instance}/attachments/dicom/info").json()["Uuid"]
        return self.log.parent / "storage" / name[:2] / name[2:4] / name

    def clear(self) -> None:
        """Delete every patient."""
        for patient in self.request("GET", "/patients").json():
            self.request("DELETE", f"/patients/{patient}")

    def stop(self) -> None:
        """End the server at once, as a crash would; harmless when it has ended already."""
        self.process.kill()
        self.process.wait()

    @property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # a proxy of the machine has no business between two programs on it
        if self.credentials is not None:
            session.auth = tuple(text.encode() for text in self.credentials)  # as text it would go as Latin-1
        return session


@contextmanager
def running_orthanc(
    folder: Path, *, credentials: tuple[str, str] | None = None, settings: dict[str, Any] | None = None
) -> Iterator[Orthanc]:
    """Start Orthanc with an empty archive in ``folder`` and stop it at the end.

    ``credentials`` (user, password) turns authentication on; ``settings`` are added to Orthanc's configuration. Skips
    the test where Orthanc or its DICOMweb plugin is not installed.
    """
    program, plugin = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"), _plugin()
    if program is None or plugin is None:
        pytest.skip("Orthanc with its DICOMweb plugin not found; apt-get install orthanc orthanc-dicomweb")
    folder.mkdir(parents=True, exist_ok=True)
    server = _start(program, plugin, folder, credentials, settings or {})
    try:
        yield server
    finally:
        server.stop()


def _plugin() -> Path | None:
    return next((path for place in PLUGIN_PLACES if (path := Path(place) / PLUGIN).exists()), None)


def _start(
    program: str, plugin: Path, folder: Path, credentials: tuple[str, str] | None, settings: dict[str, Any]
) -> Orthanc:
    log = folder / "orthanc.log"
    for _ in range(START_ATTEMPTS):
        port = _free_port()
        configuration = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": port,
            "DicomServerEnabled": False,
            "MaximumStorageCacheSize": 0,  # a test that damages a stored file wants it to be read
            # Orthanc listens on every address; with this it serves none but the loopback's clients.
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
    end = time.monotonic() + START_SECONDS
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
