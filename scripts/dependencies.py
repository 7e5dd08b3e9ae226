"""The packages that this package needs, directly and through others, as installed in this environment."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def requirements(*extras: str) -> list[str]:
    """Return what ``pyproject.toml`` requires, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(line for name in extras for line in project["optional-dependencies"][name])]


def closure(lines: Sequence[str]) -> dict[str, Distribution | None]:
    """Return what is needed to fulfill requirements, by canonical name; None for what is not installed."""
    found: dict[str, Distribution | None] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    remaining = [Requirement(line) for line in lines]
    while remaining:
        wanted = remaining.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in done:
            continue
        done.add((name, extras))
        try:
            found[name] = installed = distribution(name)
        except PackageNotFoundError:
            found[name] = None
            continue
        for requirement in map(Requirement, installed.requires or []):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                remaining.append(requirement)
    return found
