"""Packages that import what they export when it is first used, since a program needs few of their modules."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def lazy_names(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package, both of PEP 562.

    The package names its exports once, by imports under ``if TYPE_CHECKING:``, which type checkers, documentation
    and the check of layers read as they stand; from there this function takes which module a name is in.

    Args:
        package: its ``__name__``.
        file: its ``__file__``.

    Example:
        >>> import s3net_monai.networks
        >>> "S3Net" in dir(s3net_monai.networks)
        True
        >>> s3net_monai.networks.S3Net.__module__
        's3net_monai.networks.s3net'
    """
    modules = dict(_imports_for_type_checkers(ast.parse(Path(file).read_text(encoding="utf-8"))))

    def getattr_of_package(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)  # the next use costs nothing
        return value

    def dir_of_package() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return getattr_of_package, dir_of_package


def _imports_for_type_checkers(source: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (name, module) of every ``from module import name`` under ``if TYPE_CHECKING:``."""
    for block in source.body:
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom) and statement.module is not None:
                    yield from ((alias.name, statement.module) for alias in statement.names)
