"""No test of this room meets the login or the proxy of whoever runs it."""

from __future__ import annotations

import pytest

from s3net_monai.inference.dicomweb.server import PASSWORD, TOKEN, USER


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (USER, PASSWORD, TOKEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
