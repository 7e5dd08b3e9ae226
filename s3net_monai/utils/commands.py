"""What one command of ``s3net`` is, so that a package beside the product can add its own.

A package names its commands as entry points of the group ``s3net_monai.commands`` in its ``pyproject.toml``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from s3net_monai.utils.printing import ArgumentParser

ENTRY_POINTS = "s3net_monai.commands"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of the command line.

    Attributes:
        name: the word after ``s3net``.
        summary: what it does, in one line without a period.
        example: a complete call.
        add_arguments: adds its arguments to a parser.
        run: does the work and returns the exit code.
    """

    name: str
    summary: str
    example: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
