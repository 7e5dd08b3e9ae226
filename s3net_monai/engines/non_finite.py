"""The end of a training whose loss is not finite."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from s3net_monai.utils.errors import TrainingError


class StopOnNonFinite:
    """An ignite handler that ends a training by an exception when its loss is not finite.

    The loss is seen before its gradients reach the weights. ignite's ``TerminateOnNan`` sees it afterwards, and ends
    the run as if it were complete.

    Raises:
        TrainingError: naming the iteration.

    Example:
        >>> from monai.engines import SupervisedTrainer
        >>> network = torch.nn.Linear(1, 1)
        >>> trainer = SupervisedTrainer(
        ...     device=torch.device("cpu"),
        ...     max_epochs=1,
        ...     train_data_loader=[{"image": torch.ones(1, 1), "label": torch.ones(1, 1)}],
        ...     network=network,
        ...     optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        ...     loss_function=torch.nn.MSELoss(),
        ...     train_handlers=[StopOnNonFinite()],
        ... )
        >>> trainer.run()
    """

    def attach(self, engine: Engine) -> None:
        """Watch the loss of one of MONAI's trainers."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, _check_loss)


def _check_loss(engine: Engine) -> None:
    loss = engine.state.output["loss"].detach()  # type: ignore[index]
    if not torch.isfinite(loss).all():
        raise TrainingError(
            f"iteration {engine.state.iteration} (epoch {engine.state.epoch}): the loss is {float(loss)}, so the "
            "training ends; weights that were saved before are as they were. Lower the learning_rate, set amp to "
            "False, or look for images with extreme values"
        )
