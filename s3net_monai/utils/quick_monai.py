"""A quick ``import monai`` for the program's own processes; a user's Python session imports MONAI as it is.

``import monai`` imports its every module, and with them all optional packages that are installed: seconds for
tensorboard, matplotlib.pyplot, scipy.stats or sharded optimizers, which no run uses. Here MONAI imports what its
transforms, inferers and bundles need, and stand-ins take the place of the packages of ``DEFERRED``. A stand-in imports
the real module when something of it is used, and whoever imports that module afterwards, such as the config of a
bundle, gets the real one. Other modules of MONAI are imported when they are named.
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from s3net_monai.utils.stand_in import StandInLoader, stand_in

# What MONAI imports long before a function of it needs them, with all modules below them.
DEFERRED = (
    "huggingface_hub",
    "jsonschema",
    "matplotlib",
    "nibabel",
    "onnx",
    "pandas",
    "pydicom",
    "requests",
    "scipy",
    "skimage",
    "tensorboard",
    "tifffile",
    "torch.distributed.optim",  # by ignite, for one isinstance; it imports sympy and 150 modules of torch
    "torch.utils.tensorboard",
)
READERS = ("nibabel", "pydicom")
# The first is what MONAI itself imports first: its circular imports resolve in this order.
NEEDED = ("monai.apps", "monai.transforms", "monai.bundle", "monai.inferers")

_postponed: list[Callable[[], Any]] = []


def import_monai() -> None:
    """Import MONAI with stand-ins for ``DEFERRED``; nothing happens where MONAI is imported already."""
    if "monai" in sys.modules:
        return
    gc.disable()
    try:
        importlib.import_module("torch")  # before there are stand-ins
        _import_with_stand_ins()
    finally:
        # What is imported stays to the end: the collector need not search it again and again, nor when the process
        # ends, nor write into its pages, which forked readers share.
        gc.freeze()
        gc.enable()


def _import_with_stand_ins() -> None:
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        for name in NEEDED:
            importlib.import_module(name)
    finally:
        sys.meta_path.remove(finder)
        finder.stand_ins.remove()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "monai":
            _import_submodules_when_named(module)


def import_rest() -> bool:
    """Import the modules that ``import_monai`` left out, as MONAI would have.

    Returns:
        Whether there were any.
    """
    calls = _postponed.copy()
    _postponed.clear()
    for call in calls:
        call()
    return bool(calls)


def _import_submodules_when_named(package: ModuleType) -> None:
    """Let a package have all its submodules as attributes, which a whole ``import monai`` would have set."""
    if not hasattr(package, "__path__") or "__getattr__" in vars(package):
        return

    def getattr_of_package(name: str) -> Any:
        full_name = f"{package.__name__}.{name}"
        if not name.startswith("__"):
            try:
                module = importlib.import_module(full_name)
            except ModuleNotFoundError as error:
                if error.name != full_name:
                    raise
            else:
                _import_submodules_when_named(module)
                return module
        raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")

    vars(package)["__getattr__"] = getattr_of_package


class _Finder(MetaPathFinder):
    """Finds stand-ins for installed packages, and lets MONAI's ``load_submodules`` postpone its work."""

    def __init__(self) -> None:
        self.stand_ins = StandInLoader()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "monai.utils.module":
            return _with_postponed_submodules(PathFinder.find_spec(fullname, path))
        if not any(f"{fullname}.".startswith(f"{name}.") for name in DEFERRED):
            return None
        parent = fullname.rpartition(".")[0]
        if not self.stand_ins.has(parent) and PathFinder.find_spec(fullname, path) is None:
            return None  # not installed
        return ModuleSpec(fullname, self.stand_ins, is_package=True)


def _without_imports_of_readers(optional_import: Any) -> Any:
    """Answer without an import whether the packages of readers are there, as every ``LoadImage`` asks."""

    @functools.wraps(optional_import)
    def answer(module: str, version: str = "", *arguments: Any, **keywords: Any) -> tuple[Any, bool]:
        is_question = module in READERS and not version and not keywords.get("name")
        if is_question and module not in sys.modules and find_spec(module) is not None:
            return stand_in(module), True
        found: tuple[Any, bool] = optional_import(module, version, *arguments, **keywords)
        return found

    return answer


def _with_postponed_submodules(spec: ModuleSpec | None) -> ModuleSpec | None:
    if spec is None or spec.loader is None:
        return spec
    execute = spec.loader.exec_module

    def execute_and_postpone(module: ModuleType) -> None:
        execute(module)
        load = module.load_submodules

        @functools.wraps(load)
        def load_submodules(*arguments: Any, **keywords: Any) -> tuple[list[ModuleType], list[str]]:
            _postponed.append(lambda: load(*arguments, **keywords))
            return [], []

        vars(module)["load_submodules"] = load_submodules
        vars(module)["optional_import"] = _without_imports_of_readers(module.optional_import)

    vars(spec.loader)["exec_module"] = execute_and_postpone
    return spec
