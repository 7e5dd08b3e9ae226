"""Isolation of the tests from credentials and proxies in the environment."""

from __future__ import annotations

import pytest

from s3net_monai.inference.dicomweb.server import PASSWORD_VARIABLE, TOKEN_VARIABLE, USER_VARIABLE


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (USER_VARIABLE, PASSWORD_VARIABLE, TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
