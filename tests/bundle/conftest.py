"""Copies of the released bundles, made small enough to train in a second, and phantoms to train them on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.utils import set_determinism

from data_prep.phantom import make_phantoms
from s3net_monai.tasks import TASKS
from tests.helpers.paths import BUNDLES

CHECKOUT = BUNDLES
LABEL_FREE = ("lung", "skin")  # one layout, one way of training
SMALL_S3NET = {"network_def#network#channels": [4, 4, 4], "network_def#network#num_blocks": [0, 0, 1]}
SMALL_NETWORK = {"lung": SMALL_S3NET, "skin": SMALL_S3NET, "cardiac": {"encoder_def#channels": [4, 8]}}
SMALL = {
    "lung": {"pixdim": [10, 10, 15], "patch_size": [32, 32, 8], "min_size": [32, 32, 8], "epoch_length": 2},
    "skin": {"spatial_size": [32, 32]},
    "cardiac": {"spatial_size": [32, 32], "iterations": 2, "epoch_length": 2},
}
PHANTOM_SHAPE = {"lung": (32, 32, 16), "skin": (48, 40), "cardiac": (48, 40, 4)}


OPENED: list[str] = []
LISTENING: list[bool] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and LISTENING:
        OPENED.append(str(arguments[0]))


sys.addaudithook(_listen)  # for good: Python takes no audit hook back


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Paths of all files opened during the test."""
    OPENED.clear()
    LISTENING.append(True)
    yield OPENED
    LISTENING.clear()


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder: ``released`` in the checkout to read, ``root`` a copy to run, so that nothing is left."""

    task: str
    released: Path
    root: Path

    def config_file(self, name: str) -> str:
        return str(self.root / "configs" / f"{name}.json")

    def parser(self, *names: str) -> ConfigParser:
        """Configs merged as MONAI merges them, with the metadata, their bundle_root set to the copy."""
        parser = ConfigParser()
        parser.read_config([self.config_file(name) for name in names])
        parser.read_meta(self.config_file("metadata"))
        parser["bundle_root"] = str(self.root)
        return parser

    @property
    def small_network(self) -> dict[str, Any]:
        """Overrides for a network of a few channels."""
        return SMALL_NETWORK[self.task]

    def small_training(self, data: Path, output: Path, **more: Any) -> dict[str, Any]:
        """Overrides for one epoch of two iterations on the CPU."""
        epochs = {"max_epochs": 1} if self.task in LABEL_FREE else {}
        sizes = {**epochs, "batch_size": 1 if self.task == "lung" else 2, "device": "cpu"}
        folders = {"bundle_root": str(self.root), "dataset_dir": str(data), "output_dir": str(output)}
        return {**self.small_network, **SMALL[self.task], **sizes, **folders, **more}

    def workflow(self, *names: str, kind: str = "train", **overrides: Any) -> ConfigWorkflow:
        return ConfigWorkflow(
            [self.config_file(name) for name in names],
            meta_file=self.config_file("metadata"),
            logging_file=False,  # a logging.conf would take the log away from pytest
            workflow_type=kind,
            **{"bundle_root": str(self.root), **overrides},
        )

    def train(self, data: Path, output: Path, **more: Any) -> ConfigWorkflow:
        """The finished workflow of a small training in this process."""
        workflow = self.workflow("train", **self.small_training(data, output, **more))
        workflow.initialize()
        workflow.run()
        workflow.finalize()
        return workflow


@pytest.fixture(scope="session", params=list(TASKS))
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    released = CHECKOUT / TASKS[request.param].bundle
    root = tmp_path_factory.mktemp("bundles") / released.name
    shutil.copytree(released, root, ignore=shutil.ignore_patterns("eval", "data"))
    copy = Bundle(request.param, released, root)
    if not (released / "models" / "model.pt").is_file():  # of random weights, until there are trained ones
        (root / "models").mkdir(exist_ok=True)
        torch.manual_seed(0)
        network = copy.parser("inference").get_parsed_content("network_def")
        torch.save(network.state_dict(), root / "models" / "model.pt")
    return copy


@pytest.fixture(scope="session")
def labeled(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five phantoms with their labels: three to train, one to validate, one to test."""
    folder = tmp_path_factory.mktemp(f"{bundle.task}_labeled")
    make_phantoms(bundle.task, folder, count=5, shape=PHANTOM_SHAPE[bundle.task])
    return folder


@pytest.fixture(scope="session")
def unlabeled(labeled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, and the files of the labels deleted, though the datalist still names them."""
    folder = tmp_path_factory.mktemp("unlabeled") / "data"
    shutil.copytree(labeled, folder, ignore=shutil.ignore_patterns("labels"))
    assert json.loads((folder / "datalist.json").read_text())["training"][0]["label"]
    return folder


@pytest.fixture(scope="session")
def training_data(bundle: Bundle, request: pytest.FixtureRequest) -> Path:
    """What the bundle is trained on: images alone, unless it learns from labels."""
    folder: Path = request.getfixturevalue("unlabeled" if bundle.task in LABEL_FREE else "labeled")
    return folder


@pytest.fixture(autouse=True)
def random_again() -> Iterator[None]:
    """Undo the seeding of the configs, which is global."""
    yield
    set_determinism(None)


@pytest.fixture(scope="session")
def monai_bundle() -> Callable[..., str]:
    """``python -m <module> run ...`` in a process of its own; returns what it printed, fails if it failed."""

    def run(*words: str, cwd: Path, module: tuple[str, ...] = ("monai.bundle",), **overrides: Any) -> str:
        options: list[str] = []
        for key, value in overrides.items():
            options += [f"--{key}", json.dumps(value) if isinstance(value, dict | list) else str(value)]
        done = subprocess.run(
            [sys.executable, "-m", *module, "run", *words, *options],
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout + done.stderr

    return run
