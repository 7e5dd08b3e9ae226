"""The licenses that installed packages state, and which of them the product may depend on."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import Distribution

# Licenses that ask for no more than their notice, as SPDX identifiers or as older metadata writes them.
PERMISSIVE = {
    "0BSD",
    "Apache",
    "Apache 2.0",
    "Apache License 2.0",
    "Apache Software License",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "ISC License (ISCL)",
    "MIT",
    "MIT License",
    "MIT-0",
    "MIT-CMU",
    "PSF-2.0",
    "Python Software Foundation License",
    "Zlib",
}
_FILES = "a change to one of its files must be published, which its use does not ask for"
# By canonical name: the license that is stated, and why it is permitted. Packages of the tests are not distributed.
EXCEPTIONS = {
    "certifi": ("Mozilla Public License 2.0 (MPL 2.0)", _FILES),
    "dcm2niix": (
        "The following files are from different authors and have their own licenses",
        "for tests alone; BSD-2-Clause, with files under MIT, BSD-3-Clause and in the public domain",
    ),
    "hypothesis": ("MPL-2.0", f"for tests alone; {_FILES}"),
    "pathspec": ("Mozilla Public License 2.0 (MPL 2.0)", f"for mypy alone; {_FILES}"),
    "protobuf": ("3-Clause BSD License", "the permissive BSD-3-Clause in other words"),
    "tqdm": ("MPL-2.0 AND MIT", _FILES),
}


def stated_license(package: Distribution) -> str:
    """Return the license that a package states: the expression, else its classifiers, else the first line of its text.

    Several classifiers are joined by "AND", although some packages mean "OR": each of them then has to be permitted.
    """
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    if names := sorted({text.rpartition(" :: ")[2] for text in classifiers} - {"OSI Approved"}):
        return " AND ".join(names)
    return next(iter((metadata.get("License") or "").strip().splitlines()), "")


def is_permissive(license_text: str) -> bool:
    """Say whether one alternative of an expression consists of permissive licenses alone.

    An expression with nested parentheses is not taken apart, and so is not permissive.
    """
    return any(set(alternative.split(" AND ")) <= PERMISSIVE for alternative in license_text.split(" OR "))


def license_problems(packages: Mapping[str, Distribution]) -> list[str]:
    """Return one line for every package, by canonical name, whose license is neither permissive nor an exception."""
    lines = []
    for name, package in sorted(packages.items()):
        stated = stated_license(package)
        if not is_permissive(stated) and (name not in EXCEPTIONS or stated != EXCEPTIONS[name][0]):
            lines.append(
                f"{name} {package.version}: {stated or 'no license stated'}; expected a permissive license, or an "
                "exception with a reason in scripts/licenses.py"
            )
    return lines
