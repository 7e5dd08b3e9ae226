"""No file that others may have written is unpickled: a pickle names code, and reading it runs that code."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from s3net_monai.engines import ResumeTraining, load_encoder, load_network
from s3net_monai.engines.resume import latest_checkpoint
from s3net_monai.inference import load_bundle
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.tensor_file import read_tensors
from tests.helpers.paths import ROOT
from tests.helpers.pickled import Pickled

PICKLES = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle")
READERS = {*(f"{name}.{call}" for name in PICKLES for call in ("load", "loads", "open", "Memory", "Unpickler"))}
RUNS_CODE = READERS | {"torch.jit.load", "torch.hub.load", "pandas.read_pickle", "yaml.unsafe_load", "yaml.full_load"}
# Cases on their way from a reading process that the run itself started, through a pipe that nothing else can write to.
PIPES = {"s3net_monai/inference/run/prefetch.py": {"pickle.loads"}}
SOURCES = [
    path for folder in ("s3net_monai", "data_prep", "benchmarks", "scripts") for path in (ROOT / folder).rglob("*.py")
]


def unsafe_calls(source: str) -> list[str]:
    """Return the full names of calls that unpickle, or that run code from a file in another way."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom):
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return [name for node in ast.walk(tree) for name in _unsafe(node, names)]


def _unsafe(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Call):
        name = _full_name(node.func, names)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if (
            name in RUNS_CODE
            or (name == "torch.load" and options.get("weights_only") != "True")
            or (name == "numpy.load" and options.get("allow_pickle", "False") != "False")
            or (name in ("yaml.load", "yaml.load_all") and "Safe" not in ast.unparse(node))
        ):
            yield name


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    first, _, remainder = ast.unparse(node).partition(".")
    return f"{names.get(first, first)}.{remainder}".rstrip(".")


def test_no_source_reads_pickles() -> None:
    found = {path.relative_to(ROOT).as_posix(): set(unsafe_calls(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert len(found) > 300
    assert {path: names for path, names in found.items() if names} == PIPES


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import torch as t\nt.load(path, weights_only=flag)",
        "from torch import load\nload(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import pickle\npickle.load(file)",
        "from pickle import loads as read\nread(content)",
        "from joblib import Memory\nMemory(folder)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "import torch\ntorch.jit.load(path)",
    ],
)
def test_unsafe_calls_are_found(source: str) -> None:
    assert len(unsafe_calls(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(path, map_location='cpu', weights_only=True)",
        "import numpy as np\nnp.load(path)\nnp.load(path, allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import json\njson.load(file)",
    ],
)
def test_safe_calls_are_not_found(source: str) -> None:
    assert unsafe_calls(source) == []


def test_configs_load_weights_by_this_package_alone() -> None:
    """A loader of MONAI would read a checkpoint as its version does."""
    for path in (ROOT / "bundle").glob("*/configs/*.json"):
        text = json.dumps(json.loads(path.read_text(encoding="utf-8")))
        for name in ("CheckpointLoader", "torch.load", "load_state_dict", "pickle", "PersistentDataset"):
            assert name not in text, path


def _pickled(folder: Path, name: str = "model.pt") -> Path:
    torch.save({"weight": torch.zeros(1, 1), "more": Pickled(folder / "ran")}, folder / name)
    return folder / name


def test_the_flag_tells(tmp_path: Path) -> None:
    """Read in full, the file would run code: the tests below could fail."""
    torch.load(_pickled(tmp_path), weights_only=False)
    assert (tmp_path / "ran").exists()


def test_a_pickled_object_is_refused_in_one_line(tmp_path: Path) -> None:
    path = _pickled(tmp_path)
    for read in (
        lambda: read_tensors(path),
        lambda: load_network(torch.nn.Linear(1, 1), path),
        lambda: load_encoder(torch.nn.Linear(1, 1), path),
    ):
        with pytest.raises(
            ValueError, match=r"model\.pt: .*not a checkpoint of tensors alone.*save the state_dict"
        ) as caught:
            read()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_pickled_object_as_weights_of_a_bundle_is_refused(lung_bundle: Path, tmp_path: Path) -> None:
    for weights in (_pickled(tmp_path), _pickled(lung_bundle / "models")):
        with pytest.raises(UsageError, match="not a checkpoint of tensors alone") as caught:
            load_bundle("lung", lung_bundle, torch.device("cpu"), checkpoint=weights)
        assert "\n" not in str(caught.value)
        assert not (weights.parent / "ran").exists()


def test_a_pickled_object_is_not_resumed_from(tmp_path: Path) -> None:
    _pickled(tmp_path, "checkpoint_epoch=1.pt")
    with pytest.raises(UsageError, match=r"none of 1 checkpoint\*\.pt is sound"):
        latest_checkpoint(tmp_path)
    with pytest.raises(UsageError, match="to resume from"):
        ResumeTraining(tmp_path, {}).restore()
    assert not (tmp_path / "ran").exists()
