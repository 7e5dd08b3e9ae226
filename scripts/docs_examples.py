"""Griffe extension: render the ``Example:`` section of a docstring as code.

Griffe knows only ``Examples:`` and would read the lines of ``Example:`` as Markdown.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class ExampleSections(griffe.Extension):
    """Give the section the name that Griffe's Google parser knows."""

    def on_object(self, *, obj: Any, **kwargs: Any) -> None:
        """Rename the section in the docstring of one module, class or function."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub("Examples:", obj.docstring.value)
