"""A real MONAI Label server on this machine, for the tests that run in its own environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from s3net_monai.monailabel.served import make_app
from s3net_monai.tasks import TASKS
from tests.helpers.monailabel_cases import shrink
from tests.helpers.paths import ROOT

MAX_START_SECONDS = 300.0  # the first start compiles all of torch's Python files
TOKEN = "token-of-the-tests"
SCRIPT = ROOT / "scripts" / "monailabel.sh"


@contextmanager
def running_server(studies: str, task: str, folder: Path, **settings: str) -> Iterator[Any]:
    """Start a server with ``scripts/monailabel.sh``, and yield MONAI Label's own client.

    Args:
        studies: a folder of images, or the address of a DICOMweb server.
        task: name of a task, or "" for all of them. Trainings are shortened.
        folder: for the app (``folder``/app) and the log.
        **settings: environment variables of the server.
    """
    from monailabel.client import MONAILabelClient

    for name in make_app(folder / "app", [task] if task else tuple(TASKS)):
        shrink(folder / "app" / "model" / name)
    port = _free_port()
    log = folder / "server.log"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "S3NET_LABEL_TOKEN": TOKEN,
        "MONAI_LABEL_DATASTORE_AUTO_RELOAD": "false",
        "MONAI_LABEL_AUTO_UPDATE_SCORING": "false",  # otherwise it continues to compute after the test
        **settings,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", str(SCRIPT), studies, task, str(folder / "app"), str(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}/{TOKEN}"
        _wait(process, f"{address}/info/", log)
        yield MONAILabelClient(address, tmpdir=str(folder))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(url, timeout=30).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail("MONAI Label did not start:\n" + log.read_text(errors="replace")[-3000:])


def finished_training(client: Any, model: str, params: dict[str, Any]) -> dict[str, Any]:
    """Train, wait for the end, and return the server's status of the training."""
    client.train_start(model, params)
    end = time.monotonic() + 600
    while True:
        status: dict[str, Any] = client.train_status()
        if status["status"] not in ("SUBMITTED", "PENDING", "RUNNING"):
            return status
        assert time.monotonic() < end, "the training does not end"
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
