"""metadata.json against the specification, the package's label table and the network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from monai.bundle import ConfigParser, verify_metadata

from s3net_monai.tasks import TASKS
from tests.helpers.paths import ROOT

SCHEMA = Path(__file__).parent / "metadata_schema.json"


@pytest.fixture
def metadata(bundle: Any) -> Any:
    return json.loads((bundle.released / "configs" / "metadata.json").read_text())


def test_our_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_metadata_keep_to_the_specification(bundle: Any, tmp_path: Path) -> None:
    """MONAI downloads nothing where the schema's file already lies."""
    file = tmp_path / "schema.json"
    file.write_text(SCHEMA.read_text())
    verify_metadata(meta_file=str(bundle.released / "configs" / "metadata.json"), filepath=str(file))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", "one"),
        ("network_data_format/outputs/pred/spatial_shape", ["q*n"]),
        ("network_data_format/inputs/image/num_channels", 0),
        ("supported_apps", []),
    ],
)
def test_the_schema_refuses(metadata: dict[str, Any], tmp_path: Path, path: str, value: Any) -> None:
    *parents, key = path.split("/")
    part = metadata
    for parent in parents:
        part = part[parent]
    part[key] = value
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    (tmp_path / "schema.json").write_text(SCHEMA.read_text())
    with pytest.raises(ValueError, match="Failed validating"):
        verify_metadata(meta_file=str(tmp_path / "metadata.json"), filepath=str(tmp_path / "schema.json"))


@pytest.mark.parametrize("key", json.loads(SCHEMA.read_text())["required"])
def test_the_schema_misses(metadata: dict[str, Any], key: str) -> None:
    del metadata[key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate(metadata, json.loads(SCHEMA.read_text()))


def test_version_is_in_the_changelog(metadata: dict[str, Any]) -> None:
    assert metadata["version"] in metadata["changelog"]


def test_classes_are_those_of_the_label_table(bundle: Any, metadata: dict[str, Any]) -> None:
    pred = metadata["network_data_format"]["outputs"]["pred"]
    assert pred["channel_def"] == TASKS[bundle.task].channel_def
    assert pred["num_channels"] == len(pred["channel_def"])
    assert pred["type"] == "image"  # MONAI Deploy takes "probabilities" for those of a classifier
    image = metadata["network_data_format"]["inputs"]["image"]
    assert image["num_channels"] == len(image["channel_def"])


def _resolved(parser: ConfigParser, value: Any) -> Any:
    """What a reference to a number at the top of the config stands for."""
    return parser[value[1:]] if isinstance(value, str) and value.startswith("@") else value


def test_dimensions_are_those_of_the_network(bundle: Any, metadata: dict[str, Any]) -> None:
    """MONAI Label takes the dimension of a model from the length of ``spatial_shape``."""
    parser = bundle.parser("inference")
    definition = {name: _resolved(parser, value) for name, value in parser["network_def"].items()}
    inner = definition.get("network", definition)  # that of label-free classes
    tensors = metadata["network_data_format"]
    for part in (tensors["inputs"]["image"], tensors["outputs"]["pred"]):
        assert len(part["spatial_shape"]) == inner["spatial_dims"]
    assert tensors["inputs"]["image"]["num_channels"] == inner["in_channels"]
    assert tensors["outputs"]["pred"]["num_channels"] == definition.get("num_classes", inner.get("out_channels"))


def test_required_packages_are_pinned_as_in_the_constraints(metadata: dict[str, Any]) -> None:
    constraints = ROOT / "constraints.txt"
    if not constraints.is_file():
        pytest.skip(f"{constraints} not found: not a checkout")
    pins = dict(re.findall(r"^([\w.-]+)(?:\[.*?\])?==([\w.]+)", constraints.read_text(), flags=re.M))
    stated = {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
        **metadata["required_packages_version"],
    }
    assert {name: pins.get(name) for name in stated} == stated
