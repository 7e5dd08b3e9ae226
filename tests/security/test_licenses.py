"""Every package that the product needs, and every one of its extras, states a license that is permitted."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.paths import ROOT

pytest.importorskip("tomllib", reason="reading pyproject.toml needs Python 3.11")

PRODUCT = ("dicom-codecs", "export", "benchmark")
OTHERS = ("test", "docs")  # mkdocs comes with `make docs`, a few tools are not for every machine


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a script by its name."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    names = ("dependencies", "licenses", "sbom")
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


def package(**fields: Any) -> Any:
    metadata = Message()
    for name, value in fields.items():
        for text in [value] if isinstance(value, str) else value:
            metadata[name.replace("_", "-")] = text
    return SimpleNamespace(metadata=metadata, version="1.0")


def test_everything_needed_is_installed_and_permitted(script: Any) -> None:
    dependencies, licenses = script("dependencies"), script("licenses")
    product = dependencies.closure(dependencies.requirements(*PRODUCT))
    assert [name for name, found in product.items() if found is None] == []
    assert {"torch", "monai", "imagecodecs", "requests"} <= set(product)
    everything = dependencies.closure(dependencies.requirements(*PRODUCT, *OTHERS))
    assert licenses.license_problems({name: found for name, found in everything.items() if found}) == []


def test_every_exception_is_needed(script: Any) -> None:
    dependencies, licenses = script("dependencies"), script("licenses")
    everything = dependencies.closure(dependencies.requirements(*PRODUCT, *OTHERS))
    for name, (stated, reason) in licenses.EXCEPTIONS.items():
        assert licenses.stated_license(everything[name]) == stated
        assert not licenses.is_permissive(stated)
        assert len(reason) > 20


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"License_Expression": "GPL-3.0-only"}, "GPL-3.0-only"),
        ({"License_Expression": "MIT AND LGPL-2.1-or-later"}, "MIT AND LGPL-2.1-or-later"),
        ({"License_Expression": "GPL-3.0-only AND (MIT OR BSD-3-Clause)"}, "GPL-3.0-only AND (MIT OR BSD-3-Clause)"),
        ({"License": "GPLv3"}, "GPLv3"),
        ({"Classifier": ["License :: OSI Approved :: GNU General Public License v3 (GPLv3)"]}, "GNU General Public L"),
        ({"Classifier": ["License :: OSI Approved"], "License": ""}, "no license stated"),
        ({}, "no license stated"),
    ],
)
def test_other_and_missing_licenses_are_named(script: Any, fields: dict[str, Any], found: str) -> None:
    (line,) = script("licenses").license_problems({"some": package(**fields)})
    assert line.startswith(f"some 1.0: {found}")


@pytest.mark.parametrize(
    "fields",
    [
        {"License_Expression": "MIT"},
        {"License_Expression": "GPL-2.0-only OR MIT"},
        {"License_Expression": "BSD-3-Clause AND Zlib"},
        {"Classifier": ["License :: OSI Approved :: MIT License"], "License": "a long text"},
        {"License": "Apache 2.0\nmore"},
    ],
)
def test_permissive_licenses_are_not(script: Any, fields: dict[str, Any]) -> None:
    assert script("licenses").license_problems({"some": package(**fields)}) == []


def test_an_exception_holds_for_its_license_alone(script: Any) -> None:
    licenses = script("licenses")
    assert licenses.license_problems({"tqdm": package(License="MPL-2.0 AND MIT")}) == []
    assert len(licenses.license_problems({"tqdm": package(License="GPL-3.0-only")})) == 1


def test_no_requirement_is_under_the_gpl(script: Any) -> None:
    """GPL-3.0, and once part of the extra dicom-codecs."""
    dependencies = script("dependencies")
    assert "pylibjpeg-libjpeg" not in dependencies.closure(dependencies.requirements(*PRODUCT, *OTHERS))


def test_the_bill_of_materials_is_restricted_to_what_is_needed(script: Any) -> None:
    bill = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"name": name, "bom-ref": f"{name}==1"} for name in ("torch", "PyYAML", "pytest")],
        "dependencies": [
            {"ref": "root", "dependsOn": ["PyYAML==1", "pytest==1", "torch==1"]},
            {"ref": "torch==1", "dependsOn": ["pytest==1"]},
            {"ref": "pytest==1"},
            {"ref": "PyYAML==1"},
        ],
    }
    part = script("sbom").restricted(bill, {"torch", "pyyaml"})
    assert [entry["name"] for entry in part["components"]] == ["torch", "PyYAML"]
    assert part["dependencies"] == [
        {"ref": "root", "dependsOn": ["PyYAML==1", "torch==1"]},
        {"ref": "torch==1", "dependsOn": []},
        {"ref": "PyYAML==1"},
    ]


def test_the_bill_needs_two_arguments() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "sbom.py"), "python3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "sbom.py: error: the following arguments are required: output"
