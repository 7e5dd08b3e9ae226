"""Keys on the command line of ``python -m monai.bundle run`` that no config has."""

from __future__ import annotations

import difflib
import inspect
import pydoc
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.config_item import ConfigComponent
from monai.bundle.reference_resolver import ReferenceResolver
from monai.bundle.scripts import create_workflow, run
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS

from s3net_monai.utils.errors import UsageError

_FLAG = re.compile(r"--?([A-Za-z_+][^=]*)(?:=(.*))?", re.DOTALL)  # as fire takes them: --key value, --key=value, -key
_OF_ANY_ITEM = ("_target_", "_desc_", "_requires_", "_disabled_", "_mode_")
_OF_MONAI = {name for call in (run, create_workflow, ConfigWorkflow) for name in inspect.signature(call).parameters}


def check_config_keys(words: Sequence[str]) -> None:
    """Refuse overrides whose key is neither in the config files nor an argument of the component that it changes.

    A key that exists is refused where nothing of this run refers to it, as ``resume`` in a training that has no
    checkpoints: it would be ignored. So are the values "true" and "false", which are words in Python, and true.

    Only the command line, and the file that ``--args_file`` names, are checked: a config file may define what it likes.

    Args:
        words: of the command line, from the command ``run`` on.

    Raises:
        UsageError: with every such key, and the nearest one that exists.

    Example:
        >>> import json, tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        ...     json.dump({"max_epochs": 8}, file)
        ...     file.flush()
        ...     check_config_keys(["run", "--config_file", file.name, "--max_epoch", "2"])
        Traceback (most recent call last):
        s3net_monai.utils.errors.UsageError: --max_epoch: no config has this key; did you mean --max_epochs?
    """
    given = _given(words)
    if "args_file" in given:
        given = {**ConfigParser.load_config_file(given["args_file"]), **given}
    if "config_file" not in given:
        return
    config = ConfigParser.load_config_files(given["config_file"])
    known = _OF_MONAI | {ConfigParser.meta_key}
    if "tracking" in given:
        settings: Any = DEFAULT_EXP_MGMT_SETTINGS.values()
        known = known.union(*(setting["configs"] for setting in settings))
    problems = [
        problem
        for key, value in given.items()
        if ReferenceResolver.split_id(key)[0] not in known and (problem := _problem(key, value, config))
    ]
    if not problems:
        overrides = {key: value for key, value in given.items() if ReferenceResolver.split_id(key)[0] not in known}
        run_id = given.get("run_id", next((word for word in words[1:2] if not _FLAG.fullmatch(word)), "run"))
        problems = [
            f"--{key} {value}: a word, and so always true; write {value.capitalize()}"
            for key, value in overrides.items()
            if isinstance(value, str) and value.lower() in ("true", "false")
        ]
        problems += [
            f"--{key}: this run does not use it; leave it out, or choose the configs that use it"
            for key in _unused(overrides, config, run_id)
        ]
    if problems:
        raise UsageError(problems[0], problems[1:])


def _given(words: Sequence[str]) -> dict[str, Any]:
    """Return the flags of the command line with their values, as fire reads them."""
    from fire.parser import DefaultParseValue  # which a run of ``s3net`` does not need

    given: dict[str, Any] = {}
    for position, word in enumerate(words):
        if word == "--":  # what follows is for fire itself
            break
        flag = _FLAG.fullmatch(word)
        if flag:
            following = words[position + 1] if position + 1 < len(words) else ""
            text = flag[2] if flag[2] is not None else "True" if _FLAG.fullmatch(following) else following
            given[flag[1].replace("-", "_")] = DefaultParseValue(text)
    return given


def _problem(key: str, value: Any, config: Any) -> str | None:
    """Return a line on the first part of a key that does not exist, or None."""
    parts = ReferenceResolver.split_id(key)
    for depth, part in enumerate(parts):
        if isinstance(config, list):
            return None  # MONAI itself refuses an index that is too large
        if not isinstance(config, Mapping) or part in config:
            config = config.get(part) if isinstance(config, Mapping) else None
            continue
        arguments, any_argument = _arguments(config)
        is_new_item = depth > 0 and "_target_" not in config and _is_item(value)
        if any_argument or part in arguments or part in _OF_ANY_ITEM or is_new_item:
            return None
        nearest = _nearest("#".join(parts[:depth]), part, config, arguments)
        return f"--{'#'.join(parts)}: no config has this key; {nearest}"
    return None


def _unused(overrides: Mapping[str, Any], config: Any, run_id: str) -> list[str]:
    """Return the keys of overrides to which nothing refers that a run evaluates, directly or through other items."""
    parser = ConfigParser(config)
    parser.update(dict(overrides))
    parser.resolve_macro_and_relative_ids()
    reached: set[str] = set()
    waiting = [name for name in ("initialize", run_id, "finalize") if name in parser]
    while waiting:
        item = waiting.pop()
        if item not in reached and item in parser:
            reached.add(item)
            waiting += ReferenceResolver.find_refs_in_config(parser[item], item)
    sep = ReferenceResolver.sep
    return [
        key
        for key in overrides
        for item in [ReferenceResolver.normalize_id(key)]
        if not any(f"{item}{sep}".startswith(f"{used}{sep}") or used.startswith(f"{item}{sep}") for used in reached)
    ]


def _is_item(value: Any) -> bool:
    """Return whether a value is a component, or a reference to one, which may be added to named steps."""
    return isinstance(value, Mapping) or (isinstance(value, str) and value.startswith(("%", "@", "$")))


def _arguments(config: Mapping[str, Any]) -> tuple[Collection[str], bool]:
    """Return the arguments of a component beside those in its config, and whether it takes any other as well."""
    if not ConfigComponent.is_instantiable(config):
        return (), False
    target = ConfigComponent(dict(config), locator=ConfigParser().locator).resolve_module_name()
    try:
        parameters = inspect.signature(pydoc.locate(target)).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):  # nothing by this name, or written in C: the component itself answers
        return (), True
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    return {parameter.name for parameter in parameters}, open_ended


def _nearest(parent: str, part: str, config: Mapping[str, Any], arguments: Collection[str]) -> str:
    prefix = f"--{parent}#" if parent else "--"
    close = difflib.get_close_matches(part, sorted({*config, *arguments}), n=1, cutoff=0.5)
    if close:
        return f"did you mean {prefix}{close[0]}?"
    settings = sorted({*arguments, *(name for name, value in config.items() if not isinstance(value, Mapping))})
    return f"found beside it: {', '.join(name for name in settings if not name.startswith('_'))}"
