"""Stand-ins for modules that are expensive to import: promises that import the real module at their first use."""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class StandInLoader(Loader):
    """Makes stand-ins, which promise everything, and at the end takes them out of the way of later imports.

    Until ``remove`` is called, any name can be imported from a stand-in, and nothing of it can be used. Afterwards the
    stand-ins, and what was imported from them, act for the real modules and their members.

    """

    def __init__(self) -> None:
        self._modules: list[_StandIn] = []

    def has(self, name: str) -> bool:
        """Return whether a module has a stand-in."""
        return any(module.__name__ == name for module in self._modules)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the stand-in."""
        module = _StandIn(spec.name)
        module.__file__ = f"<stand-in for {spec.name}>"  # MONAI passes over packages that have none
        self._modules.append(module)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Let the stand-in promise; before, the import system looks at it."""
        vars(module)["promises"] = True

    def remove(self) -> None:
        """Let every later import find the real modules."""
        for module in self._modules:
            vars(module)["promises"] = False
            name = module.__name__
            parent, _, child = name.rpartition(".")
            if sys.modules.get(name) is module:
                del sys.modules[name]
            if parent in sys.modules and vars(sys.modules[parent]).get(child) is module:
                delattr(sys.modules[parent], child)


def stand_in(name: str) -> ModuleType:
    """Return an object that acts for a module and imports it at its first use."""
    module = _StandIn(name)
    vars(module)["promises"] = False
    return module


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        promises = vars(self).get("promises")
        if promises is False:
            return getattr(importlib.import_module(self.__name__), name)
        if promises is None or name.startswith("__"):  # what the import system asks for
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} yet")
        return _Promise(self.__name__, name)


class _Promise:
    """A class, function or module of a stand-in: to be called, asked for attributes, or named in ``isinstance``."""

    def __init__(self, module: str, name: str) -> None:
        self._place = (module, name)

    def _kept(self) -> Any:
        module, name = self._place
        return getattr(importlib.import_module(module), name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept(), name)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._kept()(*arguments, **keywords)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self._kept())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._kept())

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._kept(),)
