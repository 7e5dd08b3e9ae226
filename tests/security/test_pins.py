"""Every environment has what the code uses there, and reads checkpoints as this package needs it."""

from __future__ import annotations

import json

import pytest
from packaging.requirements import Requirement

from tests.helpers.paths import ROOT

tomllib = pytest.importorskip("tomllib", reason="reading pyproject.toml needs Python 3.11")

LISTS = sorted(path.name for path in ROOT.glob("constraints*.txt"))
# Requirements that the other environments do not use: neither asks a DICOMweb server nor searches DICOM headers for
# identifiers by this package, and MONAI Label writes DICOM SEG by dcmqi.
UNUSED = {
    "constraints.txt": set(),
    "constraints-deploy.txt": {"dicom-anonymizer", "ijson", "python-multipart"},
    "constraints-monailabel.txt": {"dicom-anonymizer", "highdicom", "ijson"},
}


def _requirements() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {requirement.name: requirement for requirement in map(Requirement, project["dependencies"])}


def _requirement(name: str) -> Requirement:
    return _requirements()[name]


def _pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {pin.name.lower(): str(pin.specifier).removeprefix("==") for pin in pins}


def test_versions_that_unpickle_are_not_in_the_range() -> None:
    """MONAI 1.5.0 loads checkpoints with ``weights_only=False``."""
    monai = _requirement("monai").specifier
    assert not monai.contains("1.5.0")
    assert monai.contains("1.5.1")


@pytest.mark.parametrize("file", LISTS)
def test_every_list_is_within_the_range(file: str) -> None:
    pins = _pins(file)
    for name in ("monai", "torch"):
        assert _requirement(name).specifier.contains(pins[name])


@pytest.mark.parametrize("file", LISTS)
def test_every_list_has_every_requirement_that_is_used_there(file: str) -> None:
    assert set(_requirements()) - set(_pins(file)) == UNUSED[file]


def test_monai_label_reads_weights_as_tensors() -> None:
    """It calls ``torch.load`` without saying so, which does so by itself since 2.6."""
    assert Requirement("torch>=2.6").specifier.contains(_pins("constraints-monailabel.txt")["torch"])


def test_bundles_name_a_version_in_the_range() -> None:
    for path in (ROOT / "bundle").glob("*/configs/metadata.json"):
        version = json.loads(path.read_text(encoding="utf-8"))["monai_version"]
        assert _requirement("monai").specifier.contains(version), path


def test_all_lists_are_found() -> None:
    assert LISTS == ["constraints-deploy.txt", "constraints-monailabel.txt", "constraints.txt"]
