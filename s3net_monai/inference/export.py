"""Export of a bundle as zip, TorchScript and ONNX, the forms that other programs read."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monai.bundle import ckpt_export, onnx_export

from s3net_monai.inference.bundle import model_file, read_metadata
from s3net_monai.inference.bundle_task import task_of_bundle
from s3net_monai.tasks import get_task
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.output_paths import check_output_folder
from s3net_monai.utils.reasons import error_lines

ONNX_PACKAGES = ("onnx", "onnxscript")


def export_bundle(task: str, root: Path, output: Path) -> tuple[list[Path], list[str]]:
    """Write ``<bundle>.zip``, ``<bundle>.ts`` (TorchScript, with its configs inside) and ``<bundle>.onnx``.

    MONAI Deploy looks for the configs in a folder of the archive with the name of the TorchScript file, so that file
    has to keep its name.

    Returns:
        The paths of the written files, and one line per form that was not written.

    Raises:
        UsageError: when the bundle has no weights or belongs to another task, or ``output`` cannot be written to.
    """
    model_file(root)
    task_of_bundle(get_task(task), read_metadata(root), root)
    check_output_folder(output)
    output.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[Path, Path], None]] = {".zip": _write_zip, ".ts": _write_script, ".onnx": _write_onnx}
    written, problems = [], []
    for suffix, write in writers.items():
        path = output / f"{root.name}{suffix}"
        try:
            with atomic_path(path) as temporary:
                write(root, temporary)
            written.append(path)
        except Exception as error:  # torch's exporters raise many types, and the other forms are still useful
            problems.append(f"{path.name} not written: {'; '.join(error_lines(error))}")
    return written, problems


def _write_zip(root: Path, path: Path) -> None:
    members = [root / "LICENSE", *(root / "models").glob("model.*")]
    members += [file for folder in ("configs", "docs") for file in sorted((root / folder).rglob("*"))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            if member.is_file():
                # The bundle specification requires a single top folder with the bundle's name.
                archive.write(member, Path(root.name) / member.relative_to(root))


def _write_script(root: Path, path: Path) -> None:
    ckpt_export(**_export_arguments(root, path))


def _write_onnx(root: Path, path: Path) -> None:
    missing = [package for package in ONNX_PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} not installed; pip install 's3net-monai[export]'")
    onnx_export(**_export_arguments(root, path))


def _export_arguments(root: Path, path: Path) -> dict[str, Any]:
    configs = root / "configs"
    return {
        "net_id": "network_def",
        "filepath": str(path),
        "ckpt_file": str(model_file(root)),
        "meta_file": str(configs / "metadata.json"),
        "config_file": str(configs / "inference.json"),
        "bundle_root": str(root),
    }
