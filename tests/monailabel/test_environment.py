"""The package in MONAI Label's environment, with older versions of numpy and pydicom."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pydicom
import pytest

from s3net_monai.monailabel.token import VARIABLE

pytest.importorskip("monailabel.client", reason="MONAI Label has an environment of its own: make test-monailabel")


def test_versions_suit_monai_label() -> None:
    assert int(np.__version__.split(".")[0]) < 2
    assert int(pydicom.__version__.split(".")[0]) < 3


@pytest.mark.parametrize("room", ["networks", "losses", "transforms", "engines", "active_learning", "monailabel"])
def test_every_module_imports(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "token-of-the-tests")  # without it the server's application is refused
    package = importlib.import_module(f"s3net_monai.{room}")
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    assert names
    for name in names:
        importlib.import_module(f"s3net_monai.{room}.{name}")
