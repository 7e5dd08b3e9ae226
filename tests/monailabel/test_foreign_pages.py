"""A real browser with a page of another origin: it neither reads nor deletes images, even with the token."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.monailabel_cases import SKIN, write_pairs
from tests.helpers.monailabel_server import TOKEN, running_server

pytest.importorskip("monailabel.client", reason="MONAI Label has an environment of its own: make test-monailabel")
CHROMIUM = shutil.which("chromium")

SCRIPT = """
const results = {};
async function attempt(name, request) {
  try { const answer = await request(); results[name] = answer.type + " " + answer.status; }
  catch (error) { results[name] = "no answer"; }
}
function picture(address) {
  return new Promise(resolve => {
    const image = new Image();
    image.onload = () => resolve({type: "picture", status: "shown"});
    image.onerror = () => resolve({type: "picture", status: "none"});
    image.src = address;
  });
}
(async () => {
  await attempt("read", () => fetch(ADDRESS + "/datastore/?output=all"));
  await attempt("delete", () => fetch(ADDRESS + "/datastore/image?id=case0", {method: "DELETE"}));
  await attempt("post", () => fetch(ADDRESS + "/train/", {method: "POST", mode: "no-cors"}));
  await attempt("picture", () => picture(ADDRESS + "/datastore/image?image=case1"));
  document.body.innerText = "results:" + JSON.stringify(results);
})();
"""


@contextmanager
def page_elsewhere(address: str) -> Iterator[str]:
    """Serve a page that tries what it can with a MONAI Label at ``address``."""
    content = f"<!doctype html><body><script>const ADDRESS = {json.dumps(address)};{SCRIPT}</script></body>".encode()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def seen(page: str, folder: Path) -> dict[str, str]:
    """Return what a page tells after its script, in Chromium without a window."""
    assert CHROMIUM
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        f"--user-data-dir={folder}",
    ]
    command = [CHROMIUM, *options, "--timeout=15000", "--virtual-time-budget=15000", "--dump-dom", page]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"results:(\{.*?\})", done.stdout)
    assert found, done.stdout + done.stderr[-2000:]
    results: dict[str, str] = json.loads(found[1])
    return results


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium not found; on Debian: apt-get install chromium")
def test_a_page_of_another_origin_reads_and_changes_nothing(tmp_path: Path) -> None:
    write_pairs(SKIN, tmp_path / "data", 2)
    images = tmp_path / "data" / "images"
    with running_server(str(images), "skin", tmp_path) as client:
        with_token = client.get_server_url()
        for address in (with_token, with_token.removesuffix(f"/{TOKEN}")):
            with page_elsewhere(address) as page:
                results = seen(page, tmp_path / "profile")
            assert results == {
                "read": "no answer",
                "delete": "no answer",
                "post": "opaque 0",  # sent, and refused; a page is not told
                "picture": "picture none",
            }
        assert sorted(path.name for path in images.glob("*.png")) == ["case0.png", "case1.png"]
        assert requests.get(f"{with_token}/train/").status_code == 404, "no training was started"
