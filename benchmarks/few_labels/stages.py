"""Training of stages: each once, in a folder of its own, and by one process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import monai
from monai.bundle import ConfigParser

from benchmarks.common.work_folder import digest, folder_lock, write_json
from benchmarks.few_labels.types import Cell, RunContext, Stage, column_name

LABEL_FREE = Cell(None, 0)
BENCHMARK_CONFIGS = Path(__file__).parent / "configs"  # overlays of methods that only this benchmark trains


def run_stage(stage: Stage, cell: Cell, context: RunContext, *, wait: bool = True) -> Path:
    """Train a stage after its inputs, and return the path of its artifact.

    The training is that of ``python -m monai.bundle run``.

    The folder of the stage has the artifact in models/, train.json with every value that was replaced, and
    settings.json, which is written last. A folder whose settings.json has the same settings is reused, so that an
    interrupted benchmark continues with the stage where it stopped.

    Args:
        stage: stage to train.
        cell: labeled patients and draw; ignored by a label-free stage.
        context: study, bundle and folders.
        wait: whether to wait for a process that works on this stage or on one of its inputs.

    Raises:
        BusyError: Without ``wait``, when there is such a process.
        ValueError: When the training leaves no artifact, or an overlay is missing.
    """
    cell = cell if stage.labeled else LABEL_FREE
    folder = folder_of(stage, cell, context)
    artifact = folder / "models" / stage.artifact
    settings = settings_of(stage, cell, context)
    if _is_finished(folder, artifact, settings):
        return artifact
    paths = {
        name: [str(run_stage(source, cell, context, wait=wait)) for source in _as_tuple(sources)]
        for name, sources in _inputs(stage, cell).items()
    }
    inputs = {name: values if isinstance(stage.inputs[name], tuple) else values[0] for name, values in paths.items()}
    with folder_lock(folder, wait=wait):
        if not _is_finished(folder, artifact, settings):  # another process may have finished it meanwhile
            (folder / "settings.json").unlink(missing_ok=True)
            overrides = {**inputs, **_run_overrides(cell, folder, context)}
            _train(merged_config(stage, context), overrides, seed=cell.draw, folder=folder)
            if not artifact.is_file():
                raise ValueError(f"{stage.name}: its training left no {artifact.name}; check the artifact of the stage")
            write_json(folder / "settings.json", settings)
    return artifact


def folder_of(stage: Stage, cell: Cell, context: RunContext) -> Path:
    """Return the folder of a stage, which is named by the draw if the stage depends on it."""
    name = f"labels-{column_name(cell.patients)}-draw-{cell.draw}" if stage.labeled else "no-labels"
    return context.work / "stages" / stage.name / name


def settings_of(stage: Stage, cell: Cell, context: RunContext) -> dict[str, Any]:
    """Return everything that an artifact depends on beside the code.

    That is configs, data and draw, and the same of every input. No path is part of it.
    """
    drawn = cell if stage.labeled else LABEL_FREE
    return {
        "overlays": list(stage.overlays),
        "config_sha256": digest(merged_config(stage, context)),
        "cases_sha256": digest(_case_ids(context)),
        "num_labeled_patients": drawn.patients,
        "draw": drawn.draw,
        "inputs": {
            name: [settings_of(source, drawn, context) for source in _as_tuple(sources)]
            for name, sources in _inputs(stage, drawn).items()
        },
    }


def trainings_of(stage: Stage, context: RunContext) -> list[dict[str, Any]]:
    """Return name, iterations and batch size of a stage and its inputs.

    Each appears once, in the order of training.
    """
    before = [
        training
        for sources in stage.inputs.values()
        for source in _as_tuple(sources)
        for training in trainings_of(source, context)
    ]
    config = merged_config(stage, context)
    own = {"stage": stage.name, **{name: config[name] for name in ("iterations", "batch_size")}}
    return [*{training["stage"]: training for training in [*before, own]}.values()]


def merged_config(stage: Stage, context: RunContext) -> dict[str, Any]:
    """Return ``configs/train.json`` with overlays and overrides of study and stage.

    The iterations that these give are multiplied by ``stage.iteration_factor``.

    Raises:
        ValueError: When an overlay is missing.
    """
    overrides = {**stage.overrides, **context.study.overrides}
    config = merged(context, "train", overlays=stage.overlays, overrides=overrides)
    return {**config, "iterations": stage.iteration_factor * config["iterations"]}


def merged(context: RunContext, name: str, *, overlays: Sequence[str], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return a config of the bundle with overlays of the bundle or of the benchmark, as MONAI's command line merges it.

    Raises:
        ValueError: When an overlay is missing.
    """
    files = [context.bundle_root / "configs" / f"{name}.json", *(_overlay(context, overlay) for overlay in overlays)]
    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    parser.update(overrides)
    config: dict[str, Any] = parser.get()
    return config


def _overlay(context: RunContext, name: str) -> Path:
    for folder in (context.bundle_root / "configs", BENCHMARK_CONFIGS):
        if (folder / f"{name}.json").is_file():
            return folder / f"{name}.json"
    raise ValueError(f"{context.bundle_root.name}: no configs/{name}.json; add it, or leave out rows that use it")


def _as_tuple(sources: Stage | tuple[Stage, ...]) -> tuple[Stage, ...]:
    return sources if isinstance(sources, tuple) else (sources,)


def _inputs(stage: Stage, cell: Cell) -> dict[str, Stage | tuple[Stage, ...]]:
    """Return the inputs that exist for this number of labeled patients."""
    return {
        name: sources
        for name, sources in stage.inputs.items()
        if cell.patients is None or cell.patients >= max(source.min_patients for source in _as_tuple(sources))
    }


def _run_overrides(cell: Cell, folder: Path, context: RunContext) -> dict[str, Any]:
    return {
        "bundle_root": str(context.bundle_root),
        "dataset_dir": str(context.dataset),
        "output_dir": str(folder),
        "ckpt_dir": str(folder / "models"),
        "num_labeled_patients": cell.patients,
        "split_seed": cell.draw,
        "seed": cell.draw,
    }


def _train(config: dict[str, Any], overrides: dict[str, Any], *, seed: int, folder: Path) -> None:
    parser = ConfigParser(config)
    parser.update(overrides)
    ConfigParser.export_config_file(parser.get(), str(folder / "train.json"), indent=1)
    monai.utils.set_determinism(seed=seed)  # before the network is built, which "initialize" seeds too late
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")
    for checkpoint in (folder / "models").glob("checkpoint*.pt"):
        checkpoint.unlink()


def _is_finished(folder: Path, artifact: Path, settings: dict[str, Any]) -> bool:
    record = folder / "settings.json"
    return artifact.is_file() and record.is_file() and json.loads(record.read_text(encoding="utf-8")) == settings


def _case_ids(context: RunContext) -> dict[str, list[str]]:
    from s3net_monai.data.datalist import load_sections

    return {name: [case["case_id"] for case in cases] for name, cases in load_sections(context.dataset).items()}
