"""Loading of MONAI Bundles for inference: their transforms, inferer and weights, without their savers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from s3net_monai.inference.bundle_task import task_of_bundle
from s3net_monai.inference.class_count import check_class_count
from s3net_monai.inference.component_names import ComponentNames
from s3net_monai.tasks import Task, get_task
from s3net_monai.transforms import CTValuesd, FillNonFinited
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.hashing import file_sha256, files_sha256
from s3net_monai.utils.messages import first_cause
from s3net_monai.utils.reasons import in_words
from s3net_monai.utils.tensor_file import read_tensors

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the bundles inside the package, a checkout beside it.
BUNDLE_FOLDERS = (PACKAGE / "bundle", PACKAGE.parent / "bundle")
MODES = {"amortized": "inferer", "per-image": "per_image_inferer"}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A loaded bundle: everything that segmenting the cases of one task needs.

    Attributes:
        task: the task, with its classes and the channels and modality of the images as the bundle's metadata state.
        name: name of the bundle's folder.
        version: version by the metadata.
        sha256: hash of the weights.
        config_sha256: hash of ``configs/inference.json`` and of its overlays.
        device: where the network is.
        network: in evaluation mode.
        preprocessing: from ``{"image": path}`` to the image (C, spatial) that the network takes.
        inferer: ``inferer(image, network)`` returns class probabilities (B, classes, spatial), or logits where the
            postprocessing begins with a softmax.
        postprocessing: from "pred" (classes, spatial) to the mask on the grid of the image.
    """

    task: Task
    name: str
    version: str
    sha256: str
    config_sha256: str
    device: torch.device
    network: torch.nn.Module
    preprocessing: Callable[[dict[str, Any]], dict[str, Any]]
    inferer: Any
    postprocessing: Callable[[dict[str, Any]], dict[str, Any]]


def bundle_root(task: str, path: Path | None = None) -> Path:
    """Return the folder of the task's bundle: ``path`` if given, else the one that comes with the package.

    Raises:
        UsageError: for an unknown task, or a folder that is not a bundle.
    """
    bundle_name = get_task(task).bundle
    roots = [path] if path else [folder / bundle_name for folder in BUNDLE_FOLDERS]
    for root in roots:
        if (root / "configs" / "inference.json").is_file() and (root / "configs" / "metadata.json").is_file():
            return root.resolve()
    missing = "no bundle there (configs/inference.json and configs/metadata.json); check --bundle"
    raise UsageError(f"{roots[-1]}: {missing}")


def model_file(root: Path) -> Path:
    """Return the path of the bundle's weights.

    Raises:
        UsageError: when there are none.
    """
    path = root / "models" / "model.pt"
    if not path.is_file():
        raise UsageError(f"{path}: no weights; train the bundle first or point --bundle to one that has them")
    return path


def read_metadata(root: Path) -> dict[str, Any]:
    """Read ``configs/metadata.json`` of a bundle.

    Raises:
        UsageError: when it is not JSON.
    """
    path = root / "configs" / "metadata.json"
    try:
        metadata: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # the second where it is nested too deeply
        raise UsageError(f"{path}: {in_words(error, 'not valid JSON', 'restore the file')}") from error
    return metadata


def load_bundle(
    task: str,
    root: Path,
    device: torch.device,
    *,
    mode: str = "amortized",
    allow: Sequence[str] = (),
    checkpoint: Path | None = None,
    configs: Sequence[Path] = (),
) -> Bundle:
    """Build the parts of ``configs/inference.json`` that segment one case, with its weights loaded strictly.

    Call this only for bundles that you trust: a config can name any function. Weights are loaded as tensors only.

    Args:
        task: name of a task of the registry.
        root: folder of the bundle.
        device: where the network runs.
        mode: "amortized" (the trained network) or "per-image" (a fit per image), one of ``MODES``.
        allow: irregular series that the bundle's reader repairs instead of refusing; becomes the config's key "allow".
        checkpoint: weights in place of ``models/model.pt``, such as those of a training of one's own.
        configs: overlays of ``configs/inference.json`` that these weights need, such as another ``network_def``.

    Raises:
        UsageError: for an unknown task, when the bundle is incomplete or made for another task, when its weights do not
            fit its network, or when it does not name every class of its network.
    """
    registered = get_task(task)
    metadata = read_metadata(root)
    described = task_of_bundle(registered, metadata, root)
    weights = model_file(root) if checkpoint is None else _existing(checkpoint, "checkpoint")
    files = [root / "configs" / "inference.json", *(_existing(path, "config") for path in configs)]
    for file in files[1:]:
        _check_overlay(file, files[0])
    if mode not in MODES:
        raise UsageError(f"mode {mode!r} is not known; give one of {', '.join(MODES)}")
    try:
        parser = ConfigParser()
        parser.locator = ComponentNames()
        parser.read_config([str(file) for file in files])
        parser["bundle_root"] = str(root)
        parser["device"] = device
        parser["allow"] = list(allow)
        if MODES[mode] not in parser:
            raise UsageError(f"{root}: no {MODES[mode]} in its configs, so no mode {mode}; leave --mode out")
        network = parser.get_parsed_content("network_def")
        preprocessing = parser.get_parsed_content("preprocessing")
        inferer = parser.get_parsed_content(MODES[mode])
        postprocessing = parser.get_parsed_content("postprocessing")
        version = str(metadata["version"])
    except UsageError:
        raise
    except Exception as error:  # a config can name anything, so anything can be raised
        found = "the bundle's configs cannot be used"
        raise UsageError(f"{root}: {in_words(first_cause(error), found, 'correct or restore them')}") from error
    _load_weights(network, weights, device)
    network = network.to(device).eval()
    check_class_count(network, described, metadata, root)
    return Bundle(
        task=described,
        name=root.name,
        version=version,
        sha256=file_sha256(weights),
        config_sha256=files_sha256(files),
        device=device,
        network=network,
        preprocessing=preprocessing,
        inferer=inferer,
        postprocessing=_without_savers(postprocessing),
    )


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise UsageError(f"{path}: no such {what}; check the path")
    return path


def _check_overlay(overlay: Path, base: Path) -> None:
    """Refuse an overlay that is not JSON, or that has a key which the config lacks and which nothing refers to."""
    try:
        keys, known = (json.loads(path.read_text(encoding="utf-8")) for path in (overlay, base))
        text = json.dumps(keys)
        roots = [key.lstrip("+~").partition("#")[0] for key in keys]
    except (ValueError, RecursionError, AttributeError) as error:
        raise UsageError(f"{overlay}: {in_words(error, 'not an overlay in JSON', 'give a mapping of keys')}") from error
    unknown = [root for root in roots if root not in known and f"@{root}" not in text and f"%{root}" not in text]
    if unknown:
        raise UsageError(f"{overlay}: key {unknown[0]!r} is not in {base.name}, and nothing refers to it; correct it")


def _load_weights(network: torch.nn.Module, path: Path, device: torch.device) -> None:
    try:
        state = read_tensors(path, device)
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        network.load_state_dict(state, strict=True)
    except Exception as error:  # a checkpoint can hold anything, so anything can be raised
        raise UsageError(
            f"{path}: weights do not fit network_def ({_differences(state, network)}); give the model.pt of a training "
            "of this bundle, with the overlays of inference.json that belong to it, or restore the file"
        ) from error


def _differences(state: Any, network: torch.nn.Module) -> str:
    from s3net_monai.engines.pretrained import layer_differences  # and all of ignite

    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        return "it holds other things than the tensors of layers"
    return layer_differences(state, network.state_dict())


def reading_steps(preprocessing: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[Compose, Compose]:
    """Split a bundle's preprocessing into the steps that read a file, channel first, and all others."""
    steps = cast(Compose, preprocessing).transforms
    reading = [step for step in steps if isinstance(step, (LoadImaged, EnsureChannelFirstd))]
    return Compose(reading), Compose([step for step in steps if step not in reading])


def repairing_steps(steps: Compose) -> tuple[Compose, Compose]:
    """Split the steps that follow the reading into those that repair values on the grid of the file, and all others."""
    repairs = [step for step in steps.transforms if isinstance(step, (FillNonFinited, CTValuesd))]
    return Compose(repairs), Compose([step for step in steps.transforms if step not in repairs])


def _without_savers(postprocessing: Compose) -> Compose:
    # MONAI Label and MONAI Deploy recognize savers by this same part of the class name.
    return Compose([step for step in postprocessing.transforms if "SaveImage" not in type(step).__name__])
