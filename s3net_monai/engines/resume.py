"""Continuation of an interrupted training: its state is restored, its settings are today's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from torch.nn import Module
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from s3net_monai.engines.pretrained import layer_differences
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.printing import get_logger
from s3net_monai.utils.tensor_file import read_tensors

logger = get_logger(__name__)

# What a schedule counts, or computes from its position; the remainder are its settings.
_POSITION = ("last_epoch", "base_lrs", "lr_lambdas", "T_cur")


def latest_checkpoint(folder: str | Path) -> tuple[Path, dict[str, Any]]:
    """Return the path and the content of the newest sound ``checkpoint*.pt`` in a folder.

    A damaged one, as a full disk or a crash leaves it, is passed over with a warning.

    Args:
        folder: where an interrupted training saved its checkpoints.

    Raises:
        UsageError: when there is none, or none that is sound.

    Example:
        >>> import tempfile
        >>> import torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"trainer": {}}, f"{folder}/checkpoint_epoch=3.pt")
        ...     path, content = latest_checkpoint(folder)
        >>> path.name, content
        ('checkpoint_epoch=3.pt', {'trainer': {}})
    """
    newest_first = sorted(Path(folder).glob("checkpoint*.pt"), key=lambda path: -path.stat().st_mtime_ns)
    for path in newest_first:
        try:
            content = read_tensors(path)
        except ValueError as error:
            logger.warning("passed over: %s", error)
            continue
        if isinstance(content, dict):
            return path, content
        logger.warning("%s is not a checkpoint of a training and passed over", path)
    found = f"none of {len(newest_first)} checkpoint*.pt is sound" if newest_first else "no checkpoint*.pt"
    raise UsageError(f"{folder}: {found} to resume from; start without resume, or set ckpt_dir")


class ResumeTraining:
    """An ignite handler that restores the state of a training from its newest sound checkpoint.

    Weights, the moments of the optimizer and the counters are restored. All settings are those of today's config:
    learning rate, weight decay, length of the training and of an epoch. The schedule goes on at its position, as if
    today's settings had applied from the start. Settings that differ are logged.

    Args:
        folder: of the checkpoints.
        state: what was saved, by name: engines, networks, optimizers, schedules, and others with a state dict.
        epoch_level: whether the training is counted in epochs. Otherwise it is counted in iterations, and epochs are
            only the rhythm of its log: with another ``epoch_length`` it goes on after as many iterations.

    Raises:
        UsageError: when there is no sound checkpoint, when it does not fit, or when more was trained than is asked for.

    Example:
        >>> import tempfile
        >>> import torch
        >>> trainer = Engine(lambda engine, batch: None)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     content = {"trainer": {"epoch_length": 2, "max_epochs": 1, "iteration": 2}}
        ...     torch.save(content, f"{folder}/checkpoint_epoch=1.pt")
        ...     ResumeTraining(folder, {"trainer": trainer}).attach(trainer)
        ...     state = trainer.run([0, 1, 2], max_epochs=3)
        >>> state.iteration
        9
    """

    def __init__(self, folder: str | Path, state: Mapping[str, Any], epoch_level: bool = True) -> None:
        self.folder, self.state, self.epoch_level = folder, state, epoch_level

    def attach(self, engine: Engine) -> None:
        """Restore the state when this trainer starts."""
        engine.add_event_handler(Events.STARTED, self.restore)

    def restore(self) -> None:
        """Restore the state of everything."""
        path, saved = latest_checkpoint(self.folder)
        missing = [name for name in self.state if name not in saved]
        if missing:
            raise UsageError(
                f"{path}: holds {', '.join(saved)}, not {', '.join(missing)}; resume with the configs that wrote it"
            )
        changes: list[str] = []
        for name, item in self.state.items():
            if isinstance(item, Engine):
                changes += self._restore_counters(item, saved[name], path)
            elif isinstance(item, Optimizer):
                changes += _restore_moments(item, saved[name], path)
            elif isinstance(item, Module):
                _restore_weights(item, saved[name], path)
            elif not isinstance(item, LRScheduler):
                item.load_state_dict(saved[name])
        for name, item in self.state.items():  # a schedule computes from the learning rates of its optimizer
            if isinstance(item, LRScheduler):
                changes += _move_schedule(item, saved[name])
        logger.info("resumed from %s", path)
        if changes:
            logger.info("changed since, and from now on as configured: %s", ", ".join(changes))

    def _restore_counters(self, engine: Engine, saved: Mapping[str, Any], path: Path) -> Iterator[str]:
        state, old_length = engine.state, saved["epoch_length"]
        length, max_epochs = state.epoch_length, state.max_epochs
        assert length is not None
        assert max_epochs is not None  # MONAI's trainers know both before they start
        if self.epoch_level:
            iteration = saved["iteration"] // old_length * length
            done, planned, unit = iteration // length, max_epochs, "epochs"
        else:
            iteration = saved["iteration"]
            done, planned, unit = iteration, max_epochs * length, "iterations"
        if done > planned:
            raise UsageError(f"{path}: {done} {unit} are done, {planned} are asked for; ask for more than {done}")
        if done == planned:
            logger.warning("%s: all %d %s are done, nothing is left to train; ask for more", path, done, unit)
        state.iteration, state.epoch = iteration, iteration // length
        return _differing({"max_epochs": saved["max_epochs"], "epoch_length": old_length}, vars(state))


def _restore_weights(network: Module, saved: Mapping[str, Any], path: Path) -> None:
    differences = layer_differences(saved, network.state_dict())
    if differences:
        raise UsageError(f"{path}: its network does not fit: {differences}. Resume with the network that was trained")
    network.load_state_dict(saved)


def _restore_moments(optimizer: Optimizer, saved: Mapping[str, Any], path: Path) -> Iterator[str]:
    today, before = optimizer.state_dict()["param_groups"], saved["param_groups"]
    if [len(group["params"]) for group in today] != [len(group["params"]) for group in before]:
        raise UsageError(f"{path}: its optimizer has other parameters; resume with the configs that wrote it")
    optimizer.load_state_dict({"state": saved["state"], "param_groups": today})
    for old, new in zip(before, today, strict=True):
        yield from _differing(_rates(old), _rates(new))


def _rates(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a group of parameters; with a schedule, the rate from which it starts."""
    rate = group.get("initial_lr", group["lr"])
    return {**{name: value for name, value in group.items() if name not in ("params", "initial_lr")}, "lr": rate}


def _move_schedule(schedule: LRScheduler, saved: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(schedule, ReduceLROnPlateau):  # its rate follows from scores, not from its position
        schedule.load_state_dict(dict(saved))
        for group, rate in zip(schedule.optimizer.param_groups, saved["_last_lr"], strict=True):
            group["lr"] = rate
        return iter(())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps before those of the optimizer, which were done before
        for _ in range(saved["last_epoch"]):
            schedule.step()
    return _differing({name: value for name, value in saved.items() if name not in _POSITION}, schedule.state_dict())


def _differing(before: Mapping[str, Any], today: Mapping[str, Any]) -> Iterator[str]:
    """Yield one phrase per number or sequence of numbers that is not what it was."""
    for name, old in before.items():
        new = today.get(name)
        if not name.startswith("_") and isinstance(old, (bool, int, float, list, tuple)):
            if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
                old, new = list(old), list(new)
            if new != old:
                yield f"{name} {new} (was {old})"
