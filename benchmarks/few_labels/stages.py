"""Stages of the few-label benchmark: each trained once, kept in a folder of its own, and never by two processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import monai
from monai.bundle import ConfigParser

from benchmarks.few_labels.types import Cell, Place, Stage, column_name
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.locks import LockedError, exclusive_lock

LABEL_FREE = Cell(None, 0)
_LOCK = ".lock"


class BusyError(Exception):
    """Another process is at the same stage."""


def run_stage(stage: Stage, cell: Cell, place: Place, wait: bool = True) -> Path:
    """Train a stage, its inputs first, as ``python -m monai.bundle run`` would; return the path of its product.

    The folder keeps the product in models/, train.json with every value that was replaced, and settings.json, which
    is written last: a folder that has it with the same settings is used again, so an interrupted benchmark goes on at
    the stage where it stopped.

    Args:
        stage: what to train.
        cell: of a label-free stage it does not matter.
        place: where.
        wait: for a process that is at this stage, or at one of its inputs.

    Raises:
        BusyError: without ``wait``, when there is such a process.
        ValueError: when the training leaves no product, or an overlay is not there.
    """
    cell = cell if stage.labeled else LABEL_FREE
    folder = folder_of(stage, cell, place)
    product = folder / "models" / stage.product
    settings = settings_of(stage, cell, place)
    if _finished(folder, product, settings):
        return product
    paths = {
        name: [str(run_stage(each, cell, place, wait)) for each in _several(taken)]
        for name, taken in _inputs(stage, cell).items()
    }
    own = {name: found if isinstance(stage.inputs[name], tuple) else found[0] for name, found in paths.items()}
    with stage_lock(folder, wait):
        if not _finished(folder, product, settings):  # by another process meanwhile
            (folder / "settings.json").unlink(missing_ok=True)
            _train(merged_config(stage, place), {**own, **_placed(cell, folder, place)}, cell.draw, folder)
            if not product.is_file():
                raise ValueError(f"{stage.name}: its training left no {product.name}; check the product of the stage")
            _write_json(folder / "settings.json", settings)
    return product


def folder_of(stage: Stage, cell: Cell, place: Place) -> Path:
    """Folder of a stage, named by the draw if the draw matters to it."""
    part = f"labels-{column_name(cell.patients)}-draw-{cell.draw}" if stage.labeled else "no-labels"
    return place.work / "stages" / stage.name / part


def settings_of(stage: Stage, cell: Cell, place: Place) -> dict[str, Any]:
    """All that a product depends on, beside the code: configs, data, draw, and the same of every input; no path."""
    drawn = cell if stage.labeled else LABEL_FREE
    return {
        "overlays": [*place.study.overlays, *stage.overlays],
        "config_sha256": digest(merged_config(stage, place)),
        "cases_sha256": digest(_cases(place)),
        "num_labeled_patients": drawn.patients,
        "draw": drawn.draw,
        "inputs": {
            name: [settings_of(each, drawn, place) for each in _several(taken)]
            for name, taken in _inputs(stage, drawn).items()
        },
    }


def trainings_of(stage: Stage, place: Place) -> list[dict[str, Any]]:
    """Name, iterations and batch size of a stage and of all that it takes, the first one first, each once."""
    before = [
        training
        for taken in stage.inputs.values()
        for each in _several(taken)
        for training in trainings_of(each, place)
    ]
    config = merged_config(stage, place)
    own = {"stage": stage.name, **{name: config[name] for name in ("iterations", "batch_size")}}
    return [*{training["stage"]: training for training in [*before, own]}.values()]


def merged_config(stage: Stage, place: Place) -> dict[str, Any]:
    """``configs/train.json`` under the overlays of study and stage, with the overrides of both,
    and ``stage.times`` the iterations that these give.

    Raises:
        ValueError: when an overlay is not there.
    """
    overlays = [*place.study.overlays, *stage.overlays]
    config = merged(place, "train", overlays, {**stage.overrides, **place.study.overrides})
    return {**config, "iterations": stage.times * config["iterations"]}


def merged(place: Place, name: str, overlays: list[str], overrides: dict[str, Any]) -> dict[str, Any]:
    """A config of the bundle under overlays, merged as MONAI's command line merges them."""
    files = [place.bundle_root / "configs" / f"{each}.json" for each in (name, *overlays)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ValueError(f"{place.bundle_root.name}: no configs/{missing[0]}; add it, or leave out rows that use it")
    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    parser.update(overrides)
    config: dict[str, Any] = parser.get()
    return config


def digest(value: Any) -> str:
    """SHA-256 of what can be JSON."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@contextmanager
def stage_lock(folder: Path, wait: bool) -> Iterator[None]:
    """Hold the folder of a stage.

    Raises:
        BusyError: without ``wait``, while another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive_lock(folder / _LOCK, wait=None if wait else 0):
            yield
    except LockedError as error:
        raise BusyError(folder.parent.name) from error


def _several(taken: Stage | tuple[Stage, ...]) -> tuple[Stage, ...]:
    return taken if isinstance(taken, tuple) else (taken,)


def _inputs(stage: Stage, cell: Cell) -> dict[str, Stage | tuple[Stage, ...]]:
    """The inputs that there are with so few labeled patients."""
    return {
        name: taken
        for name, taken in stage.inputs.items()
        if cell.patients is None or cell.patients >= max(each.least_patients for each in _several(taken))
    }


def _placed(cell: Cell, folder: Path, place: Place) -> dict[str, Any]:
    return {
        "bundle_root": str(place.bundle_root),
        "dataset_dir": str(place.dataset),
        "output_dir": str(folder),
        "ckpt_dir": str(folder / "models"),
        "num_labeled_patients": cell.patients,
        "split_seed": cell.draw,
        "seed": cell.draw,
    }


def _train(config: dict[str, Any], overrides: dict[str, Any], seed: int, folder: Path) -> None:
    parser = ConfigParser(config)
    parser.update(overrides)
    ConfigParser.export_config_file(parser.get(), str(folder / "train.json"), indent=1)
    monai.utils.set_determinism(seed=seed)  # before the network is built: "initialize" comes to it later
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")
    for checkpoint in (folder / "models").glob("checkpoint*.pt"):
        checkpoint.unlink()


def _finished(folder: Path, product: Path, settings: dict[str, Any]) -> bool:
    record = folder / "settings.json"
    return product.is_file() and record.is_file() and json.loads(record.read_text(encoding="utf-8")) == settings


def _cases(place: Place) -> dict[str, list[str]]:
    from s3net_monai.data.datalist import load_sections

    return {name: [case["case_id"] for case in cases] for name, cases in load_sections(place.dataset).items()}


def _write_json(path: Path, value: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")
