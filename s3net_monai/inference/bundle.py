"""A MONAI Bundle as the batch run uses it: its own transforms, inferer and weights, none of its savers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from s3net_monai.inference.run.fingerprint import file_sha256
from s3net_monai.io import LABELS, Label
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.messages import first_cause, one_line

TASK_BUNDLES = {
    "lung": "lung_ct_segmentation",
    "skin": "skin_lesion_segmentation",
    "cardiac": "cardiac_mr_segmentation",
}
MODES = {"amortized": "inferer", "per-image": "per_image_inferer"}


@dataclass(frozen=True)
class Bundle:
    """What one task needs to segment.

    ``inferer(image, network)`` gives class probabilities (B, classes, spatial), or logits where the postprocessing
    begins with a softmax. ``modality`` is that of the images by the metadata, "CT" where they state none.
    ``sha256`` is of the weights, ``config_sha256`` of ``configs/inference.json``.
    """

    task: str
    name: str
    version: str
    sha256: str
    config_sha256: str
    device: torch.device
    labels: tuple[Label, ...]
    channels: int
    modality: str
    network: torch.nn.Module
    preprocessing: Callable[[dict[str, Any]], dict[str, Any]]
    inferer: Any
    postprocessing: Callable[[dict[str, Any]], dict[str, Any]]


def bundle_root(task: str, path: Path | None = None) -> Path:
    """Folder of the task's bundle: ``path`` if given, else the one that comes with the package.

    Raises:
        UsageError: for an unknown task or a folder that is no bundle.
    """
    if task not in TASK_BUNDLES:
        raise UsageError(f"task {task!r} is not known; give one of {', '.join(TASK_BUNDLES)}")
    package = Path(__file__).resolve().parents[1]
    # A wheel carries the bundles inside the package, a checkout beside it.
    places = [path] if path else [package / "bundle", package.parent / "bundle"]
    for place in places:
        root = place if path else place / TASK_BUNDLES[task]
        if (root / "configs" / "inference.json").is_file() and (root / "configs" / "metadata.json").is_file():
            return root.resolve()
    where = path or places[-1] / TASK_BUNDLES[task]
    raise UsageError(f"{where}: no bundle there (configs/inference.json and configs/metadata.json); check --bundle")


def model_file(root: Path) -> Path:
    """The bundle's weights.

    Raises:
        UsageError: when they are missing.
    """
    path = root / "models" / "model.pt"
    if not path.is_file():
        raise UsageError(f"{path}: no weights; train the bundle first or point --bundle to one that has them")
    return path


def read_metadata(root: Path) -> dict[str, Any]:
    """configs/metadata.json of a bundle.

    Raises:
        UsageError: when it is not JSON.
    """
    path = root / "configs" / "metadata.json"
    try:
        metadata: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: not valid JSON ({one_line(error)}); restore the file") from error
    return metadata


def load_bundle(
    task: str, root: Path, device: torch.device, mode: str = "amortized", allow: Sequence[str] = ()
) -> Bundle:
    """Build the parts of ``configs/inference.json`` that segment one case, with ``models/model.pt`` loaded strictly.

    ``allow`` becomes the config's own key of that name: irregular series that its reader resamples, not refuses.
    Only run this on bundles that you trust: a config can name any function. Weights are loaded as tensors only.

    Raises:
        UsageError: when the bundle is incomplete or its weights do not fit its network.
    """
    metadata = read_metadata(root)
    weights = model_file(root)
    try:
        parser = ConfigParser()
        parser.read_config(root / "configs" / "inference.json")
        parser["bundle_root"] = str(root)
        parser["device"] = device
        parser["allow"] = list(allow)
        if MODES[mode] not in parser:
            raise KeyError(f"no {MODES[mode]}, so no mode {mode}; leave --mode out")
        network = parser.get_parsed_content("network_def")
        preprocessing = parser.get_parsed_content("preprocessing")
        inferer = parser.get_parsed_content(MODES[mode])
        postprocessing = parser.get_parsed_content("postprocessing")
        image = metadata["network_data_format"]["inputs"]["image"]
        channels, modality = int(image["num_channels"]), str(image.get("modality", "CT"))
        version = str(metadata["version"])
    except Exception as error:  # a config can name anything, so anything can be raised
        raise UsageError(f"{root}: the bundle's configs cannot be used ({one_line(first_cause(error))})") from error
    _load_weights(network, weights, device)
    return Bundle(
        task=task,
        name=root.name,
        version=version,
        sha256=file_sha256(weights),
        config_sha256=file_sha256(root / "configs" / "inference.json"),
        device=device,
        labels=LABELS[task],
        channels=channels,
        modality=modality,
        network=network.to(device).eval(),
        preprocessing=preprocessing,
        inferer=inferer,
        postprocessing=_without_savers(postprocessing),
    )


def _load_weights(network: torch.nn.Module, path: Path, device: torch.device) -> None:
    try:
        network.load_state_dict(torch.load(path, map_location=device, weights_only=True), strict=True)
    except Exception as error:  # a damaged file raises from zipfile, pickle or torch
        raise UsageError(f"{path}: weights do not fit network_def ({one_line(error)}); restore or retrain") from error


def reading_steps(preprocessing: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[Compose, Compose]:
    """The steps of a bundle's preprocessing that read a file, channel first, and all others."""
    steps = cast(Compose, preprocessing).transforms
    reading = [step for step in steps if isinstance(step, (LoadImaged, EnsureChannelFirstd))]
    return Compose(reading), Compose([step for step in steps if step not in reading])


def _without_savers(postprocessing: Compose) -> Compose:
    # MONAI Label and MONAI Deploy recognize savers by this same part of the class name.
    return Compose([step for step in postprocessing.transforms if "SaveImage" not in type(step).__name__])
