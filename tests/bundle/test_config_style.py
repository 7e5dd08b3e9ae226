"""No config addresses a step by its index or keeps long code in a string: both break without a message."""

from __future__ import annotations

import inspect
import json
import pydoc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.few_labels.stages import BENCHMARK_CONFIGS
from tests.helpers.paths import BUNDLES

MAX_CODE_CHARACTERS = 60
CONFIGS = sorted([*BUNDLES.glob("*/configs/*.json"), *BENCHMARK_CONFIGS.glob("*.json")])
INDEX = re.compile(r"(#|::)\d+(#|::|\b)|@[\w#:]+\[-?\d*:?-?\d*\]")


def strings(value: Any) -> Iterator[str]:
    """All keys and values that are strings."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from strings(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from strings(entry)
    elif isinstance(value, str):
        yield value


@pytest.fixture(params=CONFIGS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def config(request: pytest.FixtureRequest) -> Any:
    path: Path = request.param
    return json.loads(path.read_text())


def test_steps_are_addressed_by_name(config: Any) -> None:
    assert [text for text in strings(config) if INDEX.search(text)] == []


def test_no_long_code_in_strings(config: Any) -> None:
    code = [text for text in strings(config) if text.startswith("$") and not text.startswith(("$import", "$from"))]
    assert [text for text in code if len(text) > MAX_CODE_CHARACTERS] == []


def components(value: Any) -> Iterator[dict[str, Any]]:
    """All components of this project in a config."""
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and str(value.get("_target_")).startswith(("s3net_monai.", "benchmarks.")):
        yield value
    for entry in entries:
        yield from components(entry)


def test_components_know_their_arguments(config: Any) -> None:
    """A renamed argument would otherwise fail in the one training that uses the overlay."""
    for component in components(config):
        parameters = inspect.signature(pydoc.locate(component["_target_"])).parameters  # type: ignore[arg-type]
        unknown = {name for name in component if not name.startswith("_")} - parameters.keys()
        open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        assert open_ended or unknown == set(), component["_target_"]


def targets(value: Any) -> Iterator[str]:
    """Names of all components in a config."""
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and "_target_" in value:
        yield str(value["_target_"])
    for entry in entries:
        yield from targets(entry)


def test_files_are_written_whole_and_cases_are_read_before_training(config: Any) -> None:
    """MONAI's own components leave half a file on a full disk, and stop a training at its first damaged image."""
    ours = {"CheckpointSaver", "CheckpointLoader", "CacheDataset", "PersistentDataset"}
    assert ours.isdisjoint(name.rpartition(".")[2] for name in targets(config))


def test_every_workflow_checks_its_command_line_first(config: Any) -> None:
    writes_checkpoints = "train" in config or "train#sampler" in config or "distributed" in config
    folders = "@bundle_root, @output_dir, @ckpt_dir" if writes_checkpoints else "@bundle_root, @output_dir"
    assert config.get("initialize", [f"$begin_run({folders})"])[0] == f"$begin_run({folders})"


def test_processes_of_several_gpus_draw_their_own_random_numbers(config: Any) -> None:
    if any("join_process_group" in text for text in strings(config)):
        assert config["initialize"][-1] == "$monai.utils.set_determinism(seed=@seed + dist.get_rank())"


def test_every_training_watches_its_loss(config: Any) -> None:
    for handlers in (config.get("train#handlers"), config.get("train", {}).get("handlers")):
        assert handlers is None or handlers[0] == {"_target_": "s3net_monai.engines.StopOnNonFinite"}


@pytest.mark.parametrize(
    "text",
    ["train#reading#3#_disabled_", "@train#handlers[:3]", "$@train#handlers[0]", "train::handlers::0", "steps#12"],
)
def test_index_addressing_is_recognized(text: str) -> None:
    assert INDEX.search(text)


@pytest.mark.parametrize("text", ["train#second_view2#load", "$@cases['training']", "$[*@spatial_size, -1]"])
def test_names_are_not_taken_for_indices(text: str) -> None:
    assert not INDEX.search(text)


def test_label_free_bundles_share_their_multi_gpu_overlay() -> None:
    skin, lung = (
        (BUNDLES / name / "configs" / "multi_gpu_train.json").read_bytes()
        for name in ("skin_lesion_segmentation", "lung_ct_segmentation")
    )
    assert skin == lung
