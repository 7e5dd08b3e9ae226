"""Description of this installation: versions, tasks, formats, devices and optional parts."""

from __future__ import annotations

import importlib.util
import platform
from typing import Any

import monai
import torch

from s3net_monai.inference.bundle import bundle_root, model_file, read_metadata
from s3net_monai.inference.bundle_task import task_of_bundle
from s3net_monai.io import FORMATS
from s3net_monai.tasks import TASKS, Task
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.hashing import file_sha256
from s3net_monai.version import __version__

OPTIONAL_PARTS = {
    "dicom-codecs": ("imagecodecs", "pylibjpeg", "openjpeg"),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "benchmark": ("matplotlib", "sklearn"),
}


def describe() -> dict[str, Any]:
    """Return versions, tasks with labels and model, output formats, devices, and which optional parts are installed."""
    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {
        "package_version": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "monai": monai.__version__,
        "tasks": {name: _describe_task(task) for name, task in TASKS.items()},
        "formats": {name: file_format.extension for name, file_format in FORMATS.items()},
        "devices": {"cpu": platform.machine(), **{f"cuda:{index}": name for index, name in enumerate(gpus)}},
        "optional": {
            name: all(importlib.util.find_spec(module) is not None for module in modules)
            for name, modules in OPTIONAL_PARTS.items()
        },
    }


def _describe_task(task: Task) -> dict[str, Any]:
    labels = {label.name: label.value for label in task.labels}
    try:
        root = bundle_root(task.name)
        metadata = read_metadata(root)
        labels = {label.name: label.value for label in task_of_bundle(task, metadata, root).labels}
        version = str(metadata.get("version"))
        return {"labels": labels, "bundle": root.name, "version": version, "sha256": file_sha256(model_file(root))}
    except UsageError as error:
        return {"labels": labels, "bundle": task.bundle, "problem": str(error)}


def format_info(info: dict[str, Any]) -> str:
    """Format the result of ``describe`` as text."""
    lines = [f"s3net {info['package_version']} (Python {info['python']}, torch {info['torch']}, MONAI {info['monai']})"]
    for task, details in info["tasks"].items():
        model = details.get("problem") or f"{details['bundle']} {details['version']}, sha256 {details['sha256'][:12]}"
        lines.append(f"task {task}: {', '.join(details['labels'])}; {model}")
    lines.append("formats: " + ", ".join(f"{name} ({extension})" for name, extension in info["formats"].items()))
    lines.append("devices: " + ", ".join(f"{name} ({model})" for name, model in info["devices"].items()))
    lines += [
        f"extra {name}: {'found' if installed else 'not installed'}" for name, installed in info["optional"].items()
    ]
    return "\n".join(lines)
