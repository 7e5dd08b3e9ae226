"""Handlers with names, attached in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine


def attach_handlers(engine: Engine, handlers: Mapping[str, Any]) -> None:
    """Attach handlers to an engine in the order of the mapping.

    For handlers that need the engine itself, such as savers of its state, and so cannot be among its arguments.

    Args:
        engine: a trainer or an evaluator.
        handlers: handlers with ``attach``, by name.

    Example:
        >>> from ignite.engine import Engine
        >>> from ignite.handlers import ProgressBar
        >>> attach_handlers(Engine(lambda engine, batch: None), {"progress": ProgressBar()})
    """
    for handler in handlers.values():
        handler.attach(engine)
