"""The folder that MONAI Label serves: its app, and a copy of every bundle, which corrections then train further."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from monai.bundle import ConfigParser

from s3net_monai.inference.bundle import TASK_BUNDLES, bundle_root
from s3net_monai.utils.errors import UsageError

_APP = '''"""Begins MONAI Label's own app for bundles; made by ``s3net_monai.monailabel.served``."""

from s3net_monai.monailabel.app import App  # noqa: F401
'''


def make_app(folder: Path, tasks: Sequence[str] = tuple(TASK_BUNDLES)) -> list[str]:
    """Make the folder, or add to it what is missing; return the names of the bundles of these tasks.

    The weights of a bundle that is there already stay, since they may have learned from corrections: to begin anew with
    the shipped ones, delete its folder. Its configs are written anew. Bundles without weights or without a
    ``fine_tune.json`` are left out: from them corrections could not be learned.

    Raises:
        UsageError: for an unknown task, and when nothing is left to serve.
    """
    (folder / "model").mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text(_APP, encoding="utf-8")
    names = []
    for task in tasks:
        shipped = bundle_root(task)
        if all((shipped / part).is_file() for part in ("models/model.pt", "configs/fine_tune.json")):
            names.append(shipped.name)
            serve_bundle(shipped, folder / "model" / shipped.name)
    if not names:
        raise UsageError(f"nothing to serve for {', '.join(tasks)}: found no models/model.pt, expected trained weights")
    return names


def serve_bundle(shipped: Path, folder: Path) -> None:
    """Copy a bundle to where MONAI Label serves and trains it; its configs become what MONAI Label needs.

    Of a bundle that is there, the configs alone are replaced.

    * MONAI Label reads ``train.json`` and nothing beside it, and serves the weights in ``models/``. So the copy's
      ``train.json`` has ``fine_tune.json`` on it, and leaves its weights there: the next mask is made by what the last
      training made.
    * ``inference.json`` gets ``AfterSaveImaged`` as the last step of its postprocessing.
    """
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(shipped, unfinished, ignore=shutil.ignore_patterns("data", "eval", "__pycache__"))
    configs = unfinished / "configs"
    training = _read(configs / "train.json", configs / "fine_tune.json")
    training["ckpt_dir"] = "$@bundle_root + '/models'"
    _write(training, configs / "train.json")
    inference = _read(configs / "inference.json")
    last = {"_target_": "s3net_monai.monailabel.after_saving.AfterSaveImaged", "keys": "pred"}
    inference["postprocessing#steps#after_saving"] = last
    _write(inference, configs / "inference.json")
    if folder.exists():
        shutil.rmtree(folder / "configs", ignore_errors=True)
        configs.rename(folder / "configs")
        shutil.rmtree(unfinished)
    else:
        unfinished.rename(folder)


def _read(*configs: Path) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config([str(config) for config in configs])
    return parser


def _write(parser: ConfigParser, path: Path) -> None:
    ConfigParser.export_config_file(parser.get(), str(path), indent=4)


if __name__ == "__main__":
    try:
        print(",".join(make_app(Path(sys.argv[1]), sys.argv[2:] or tuple(TASK_BUNDLES))))
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
