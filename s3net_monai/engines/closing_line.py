"""The last line of a training: where its weights are, and the command that uses them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ignite.engine import Engine, Events

from s3net_monai.utils.printing import get_logger

logger = get_logger(__name__)


class ClosingLine:
    """An ignite handler that ends a complete training with the path of its weights and the command that uses them.

    Attach it after the handlers that save. Where no weights were written, or where those of an earlier run remain, the
    line says so.

    Args:
        weights: file that the training leaves.
        bundle_root: folder of the bundle.
        task: of ``s3net segment``; None for a bundle that only MONAI's command runs.
        overlays: names of the configs that inference needs besides ``inference.json``.
        option: what takes the weights, where that is another training, such as "--pretrained".

    Example:
        >>> trainer = Engine(lambda engine, batch: None)
        >>> line = ClosingLine("run/model.pt", "bundle/skin_lesion_segmentation", task="skin")
        >>> line.attach(trainer)
        >>> line.command()
        's3net segment IMAGES --task skin --checkpoint run/model.pt --output MASKS'
    """

    def __init__(
        self,
        weights: str | Path,
        bundle_root: str | Path,
        *,
        task: str | None = None,
        overlays: Sequence[str] = (),
        option: str | None = None,
    ) -> None:
        self.weights, self.task, self.option = Path(weights), task, option
        self.configs = [Path(bundle_root, "configs", f"{name}.json") for name in ("inference", *overlays)]
        self._before: int | None = None

    def attach(self, engine: Engine) -> None:
        """Say where the weights of this trainer are."""
        engine.add_event_handler(Events.STARTED, self._started)
        engine.add_event_handler(Events.COMPLETED, self._completed)

    def command(self) -> str:
        """Return the command that uses the weights; the words in capitals are for the user to replace."""
        weights = shlex.quote(str(self.weights))
        if self.option:
            return f"python -m monai.bundle run training ... {self.option} {weights}"
        if self.task:
            overlays = "".join(f" --config {shlex.quote(str(path))}" for path in self.configs[1:])
            return f"s3net segment IMAGES --task {self.task}{overlays} --checkpoint {weights} --output MASKS"
        files = ",".join(f"'{path}'" for path in self.configs)
        return (
            f"python -m monai.bundle run --bundle_root {shlex.quote(str(self.configs[0].parents[1]))} "
            f'--config_file "[{files}]" --dataset_dir IMAGES --checkpoint {weights} --output_dir MASKS'
        )

    def _modified(self) -> int | None:
        return self.weights.stat().st_mtime_ns if self.weights.is_file() else None

    def _started(self) -> None:
        self._before = self._modified()

    def _completed(self, engine: Engine) -> None:
        state = engine.state
        early = "stopped early, " if state.epoch < (state.max_epochs or 0) else ""
        extent = f"{early}{state.epoch} of {state.max_epochs} epochs"
        if self._modified() is None:
            logger.warning("%s done, and no %s: no validation has chosen weights", extent, self.weights)
            return
        kept = " (those of the earlier run, with a higher score)" if self._modified() == self._before else ""
        logger.info("%s done; weights: %s%s; use them: %s", extent, self.weights, kept, self.command())
