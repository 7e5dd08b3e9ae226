"""A client keeps to its memory against servers without end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults import server


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_image_without_end(tmp_path: Path) -> None:
    """The limit of one image is far above the memory that is allowed, since images go to a file."""
    name = "image without end, no length"
    result = server.measure(tmp_path, names=[name], image_bytes=400 * 2**20)
    assert (result["tried"], result["wrong"]) == (1, 0), result
    assert result["kinds"][name]["error"] == (
        "server: CT series 0, image 1: the answer has more than 400 MiB, the limit; see the server's log"
    )
    assert 0 <= result["kinds"][name]["megabytes"] < server.MAX_MEGABYTES
    assert not list(tmp_path.rglob("*.dcm"))


def test_clients_without_error_or_with_much_memory_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results: dict[str, dict[str, Any]] = {
        "none": {"megabytes": 5.0, "seconds": 1.0, "error": ""},
        "large": {"megabytes": 500.0, "seconds": 1.0, "error": "it is late"},
        "right": {"megabytes": 5.0, "seconds": 1.0, "error": "it is late"},
    }
    monkeypatch.setattr(server, "_run", lambda answer, *_: results[answer])
    monkeypatch.setattr(server, "_scenarios", lambda: {name: (name, "late") for name in results})
    assert server.measure(tmp_path) == {"tried": 3, "wrong": 2, "kinds": results}
