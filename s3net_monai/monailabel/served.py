"""The folder that MONAI Label serves: its app, and a copy of every bundle, to be fine-tuned on corrections."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from monai.bundle import ConfigParser

from s3net_monai.inference.bundle import bundle_root
from s3net_monai.tasks import TASKS
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import UsageError, UserError
from s3net_monai.utils.output_paths import check_output_folder
from s3net_monai.utils.printing import ArgumentParser, print_note, print_result
from s3net_monai.utils.reasons import error_lines

_APP = '''"""Starts MONAI Label's own app for bundles; written by ``s3net_monai.monailabel.served``."""

from s3net_monai.monailabel.app import App  # noqa: F401 - MONAI Label looks for a class in this file
'''


def make_app(folder: Path, tasks: Sequence[str] = tuple(TASKS)) -> list[str]:
    """Create or update the folder that MONAI Label serves.

    The weights of a bundle that is already there are kept, since they may have been trained on corrections; delete its
    folder to start again from the released ones. Its configs are always rewritten. Bundles without weights or without
    a ``fine_tune.json`` are left out, since they could not be trained on corrections.

    Args:
        folder: the folder of the app.
        tasks: names of the tasks whose bundles are served.

    Returns:
        The names of the served bundles.

    Raises:
        UsageError: for an unknown task, when no bundle can be served, and when ``folder`` cannot be written to.
    """
    check_output_folder(folder, ["main.py"])
    (folder / "model").mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "main.py") as temporary:
        temporary.write_text(_APP, encoding="utf-8")
    names = []
    for task in tasks:
        released = bundle_root(task)
        if all((released / file).is_file() for file in ("models/model.pt", "configs/fine_tune.json")):
            names.append(released.name)
            serve_bundle(released, folder / "model" / released.name)
    if not names:
        raise UsageError(f"nothing to serve for {', '.join(tasks)}: found no models/model.pt, expected trained weights")
    return names


def serve_bundle(released: Path, folder: Path) -> None:
    """Copy a bundle to the folder where MONAI Label serves and trains it, and adapt its configs to MONAI Label.

    If the copy exists, only its configs are replaced.

    * MONAI Label reads only ``train.json``, and serves the weights in ``models/``. The copy's ``train.json`` is
      therefore merged with ``fine_tune.json`` and saves its weights in ``models/``, so that the next mask is made with
      the weights of the last training.
    * ``inference.json`` gets ``FormatForSaveImaged`` as the last step of its postprocessing.

    Args:
        released: folder of the bundle.
        folder: destination.
    """
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(released, unfinished, ignore=shutil.ignore_patterns("data", "eval", "__pycache__"))
    configs = unfinished / "configs"
    training = _read(configs / "train.json", configs / "fine_tune.json")
    training["ckpt_dir"] = "$@bundle_root + '/models'"
    _write(training, configs / "train.json")
    inference = _read(configs / "inference.json")
    last_step = {"_target_": "s3net_monai.monailabel.mask_format.FormatForSaveImaged", "keys": "pred"}
    inference["postprocessing#steps#format"] = last_step
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
    _parser = ArgumentParser(description="Create or update the folder that MONAI Label serves; print its bundles.")
    _parser.add_argument("folder", type=Path, help="of the app")
    _parser.add_argument("tasks", nargs="*", metavar="task", default=tuple(TASKS), help=f"default: {' '.join(TASKS)}")
    _arguments = _parser.parse_args()
    try:
        print_result(",".join(make_app(_arguments.folder, _arguments.tasks)))
    except (UserError, OSError) as error:
        print_note(*error_lines(error))
        sys.exit(2)
