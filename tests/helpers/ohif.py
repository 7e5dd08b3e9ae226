"""The OHIF viewer beside an Orthanc, in Chromium, driven as its users do.

``scripts/get_ohif.sh`` unpacks the viewer. Tests that use it are skipped where it or Chromium is not installed.
"""

from __future__ import annotations

import json
import mimetypes
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.browser import WEBGL, running_chromium
from tests.helpers.orthanc import Orthanc
from tests.helpers.paths import ROOT

OHIF = ROOT / ".viewers" / "ohif"
WINDOW = (1100, 800)  # px
MAX_SECONDS = 60.0  # for one step of the viewer
TOURS = ("basicViewerTour",)  # introductions, which cover the page until they have been seen
SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "orthanc",
    "configuration": {
        "friendlyName": "Orthanc",
        "name": "orthanc",
        "qidoRoot": "/dicom-web",
        "wadoRoot": "/dicom-web",
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "qidoSupportsIncludeField": True,
        "omitQuotationForMultipartRequest": True,
        "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
    },
}
CONFIGURATION = {
    "extensions": [],
    "modes": [],
    "customizationService": {},
    "showStudyList": True,
    "maxNumberOfWebWorkers": 2,
    "investigationalUseDialog": {"option": "never"},
    "disableConfirmationPrompts": True,  # shows a segmentation without asking
    "defaultDataSourceName": "orthanc",
    "dataSources": [SOURCE],
}


@dataclass
class Ohif:
    """The viewer in a browser.

    Attributes:
        browser: selenium's driver.
        address: of the page.
        failures: paths of requests to the archive that it refused.
    """

    browser: Any
    address: str
    failures: list[str] = field(default_factory=list)

    def open(self, study: str) -> None:
        """Open a study, and wait for its first image and the list of its series."""
        self.browser.get(f"{self.address}/app-config.js")
        self.browser.execute_script(f"localStorage.setItem('shownTours', '{json.dumps(TOURS)}')")
        self.failures.clear()
        self.browser.get(f"{self.address}/viewer?StudyInstanceUIDs={study}")
        self._wait("the study", lambda: self.position() and self._elements("study-browser-thumbnail-no-image"))

    def load_segmentation(self) -> None:
        """Double-click the segmentation of the study in the list of series."""
        from selenium.webdriver.common.action_chains import ActionChains

        (entry,) = self._elements("study-browser-thumbnail-no-image")
        ActionChains(self.browser).double_click(entry).perform()

    def wait_for_segmentation(self, seconds: float = MAX_SECONDS) -> bool:
        """Return whether the segmentation appears; the viewer then shows its first slice with foreground."""
        try:
            self._wait("the segmentation", self._segmented, seconds)
        except TimeoutError:
            return False
        return True

    def position(self) -> int:
        """The slice that is shown, counted from 1; 0 before there is one."""
        text = self.browser.execute_script(
            "return document.querySelector(\"[data-cy='viewport-overlay-bottom-right']\")?.innerText ?? ''"
        )
        found = re.search(r"\((\d+)/\d+\)", text)
        return int(found[1]) if found else 0

    def show(self, position: int) -> np.ndarray:
        """Scroll to a slice with the arrow keys, and return the picture of the viewport (rows, columns, RGB)."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        for _ in range(abs(position - self.position())):
            before = self.position()
            key = Keys.ARROW_DOWN if position > before else Keys.ARROW_UP
            ActionChains(self.browser).send_keys(key).perform()
            self._wait("another slice", lambda before=before: self.position() != before)
        assert self.position() == position
        return self._settled_picture()

    def _settled_picture(self) -> np.ndarray:
        """The viewport, when two pictures of it in a row are equal."""
        (pane,) = self._elements("viewport-pane")
        taken = partial(_pixels, pane)
        before = taken()
        end = time.monotonic() + MAX_SECONDS
        while time.monotonic() < end:
            time.sleep(0.3)
            after = taken()
            if np.array_equal(before, after):
                return after
            before = after
        raise TimeoutError("the viewport changes all the time")

    def _segmented(self) -> bool:
        script = "return window.services.segmentationService.getSegmentations().length"
        text = self.browser.execute_script("return document.body.innerText")
        return bool(self.browser.execute_script(script)) and "Loading SEG" not in text

    def _elements(self, name: str) -> list[Any]:
        elements: list[Any] = self.browser.find_elements("css selector", f"[data-cy='{name}']")
        return elements

    def _wait(self, thing: str, ready: Any, seconds: float = MAX_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise TimeoutError(f"OHIF does not show {thing} after {seconds:.0f} s")
            time.sleep(0.1)


def _pixels(element: Any) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(element.screenshot_as_png)).convert("RGB")).astype(int)


@contextmanager
def running_ohif(orthanc: Orthanc) -> Iterator[Ohif]:
    """Serve the viewer and the archive's DICOMweb services under one address, and open a browser there."""
    if not (OHIF / "index.html").exists():
        pytest.skip("OHIF not found; bash scripts/get_ohif.sh")
    failures: list[str] = []
    handler = partial(_Handler, orthanc, failures)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with running_chromium(*WEBGL, size=WINDOW) as browser:
                yield Ohif(browser, f"http://127.0.0.1:{server.server_port}", failures)
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, orthanc: Orthanc, failures: list[str], *arguments: Any) -> None:
        self.orthanc, self.failures = orthanc, failures
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/dicom-web/"):
            headers = {"Accept": self.headers["Accept"], "Host": self.headers["Host"]}
            answer = self.orthanc.session.get(self.orthanc.url + self.path, headers=headers, timeout=30)
            if not answer.ok:
                self.failures.append(path)
            self._send(answer.status_code, answer.headers.get("Content-Type", ""), answer.content)
        elif path == "/app-config.js":
            self._send(200, "text/javascript", f"window.config = {json.dumps(CONFIGURATION)};".encode())
        else:
            file = OHIF / path.lstrip("/")
            file = file if file.is_file() else OHIF / "index.html"  # routes of the application
            self._send(200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        # The viewer's threads share memory, which browsers allow to isolated pages alone.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass
