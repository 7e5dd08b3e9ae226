"""Loading of trained weights, of an encoder for fine-tuning or of a whole network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from s3net_monai.utils.tensor_file import read_tensors

_MAX_LISTED = 3  # differing layers that an error message lists


def load_encoder(network: nn.Module, path: str | Path, key: str = "encoder") -> nn.Module:
    """Load pre-trained weights into the encoder of a network and return the network.

    They are those of ``network.encoder``, or of ``network`` itself if it has none. Everything must fit: names and
    shapes of all layers, hence also the channels of the image. An encoder that was pre-trained on (image, mask) is
    fine-tuned on (image, mask). Nothing is changed when the file is refused.

    The pre-training saves by a standard ``CheckpointSaver`` with ``"save_dict": {"encoder": "@encoder"}``. That saver
    drops the key of a ``save_dict`` with a single entry and writes the bare state dict: both forms are accepted.

    Args:
        network: ``EncoderUNet``, ``DualDecoderUNet``, a projection, or an encoder.
        path: the checkpoint. Only tensors are read from it, no code is run.
        key: name of the encoder in the checkpoint.

    Returns:
        ``network``.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is damaged, holds no such key, or does not fit. One line: file, found, expected, remedy.

    Example:
        >>> import tempfile
        >>> import torch
        >>> from s3net_monai.networks import ConvEncoder, EncoderUNet
        >>> encoder, untrained = (ConvEncoder(spatial_dims=2, in_channels=1, channels=(4, 8)) for _ in range(2))
        >>> network = EncoderUNet(untrained, spatial_dims=2, in_channels=1, out_channels=3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"encoder": encoder.state_dict()}, f"{folder}/encoder.pt")
        ...     network = load_encoder(network, f"{folder}/encoder.pt")
        >>> all(torch.equal(a, b) for a, b in zip(network.encoder.parameters(), encoder.parameters()))
        True
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint; pre-train first, or leave the pre-trained encoder out")
    _load(getattr(network, "encoder", network), path, key=key, part="encoder", training="pre-trained")
    return network


def warm_start(network: nn.Module, pretrained: str | Path = "") -> nn.Module:
    """Return ``network``, with the encoder of the checkpoint ``pretrained`` where one is given; see ``load_encoder``.

    Example:
        >>> network = nn.Conv2d(1, 4, kernel_size=3)
        >>> warm_start(network) is network
        True
    """
    return load_encoder(network, pretrained) if pretrained else network


def load_network(network: nn.Module, path: str | Path, key: str = "model") -> nn.Module:
    """Load all weights of a trained network and return it.

    The file is such as ``model.pt`` of ``configs/train.json``. It accepts and refuses checkpoints as ``load_encoder``
    does, for the network as a whole.

    Args:
        network: of the architecture that was trained.
        path: the checkpoint. Only tensors are read from it, no code is run.
        key: name of the network in the checkpoint.

    Returns:
        ``network``.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is damaged, holds no such key, or does not fit. One line: file, found, expected, remedy.

    Example:
        >>> import tempfile
        >>> import torch
        >>> trained = torch.nn.Linear(2, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save(trained.state_dict(), f"{folder}/model.pt")
        ...     network = load_network(torch.nn.Linear(2, 1), f"{folder}/model.pt")
        >>> torch.equal(network.weight, trained.weight)
        True
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{str(path) or 'no path'}: no such checkpoint of a network; train one, and name its file"
        )
    _load(network, path, key=key, part="network", training="trained")
    return network


def _load(module: nn.Module, path: str | Path, *, key: str, part: str, training: str) -> None:
    state = _state(read_tensors(path), path, key=key, part=part)
    differences = layer_differences(state, module.state_dict())
    if differences:
        raise ValueError(f"{path}: its {part} does not fit: {differences}. Build the {part} that was {training}")
    module.load_state_dict(state, strict=True)


def _state(checkpoint: Any, path: str | Path, *, key: str, part: str) -> Mapping[str, Tensor]:
    if _is_state(checkpoint):
        return checkpoint
    if not isinstance(checkpoint, Mapping):
        raise ValueError(
            f"{path}: holds {type(checkpoint).__name__}, expected weights under {key!r}; give another file"
        )
    if not _is_state(checkpoint.get(key)):
        names = ", ".join(repr(name) for name in checkpoint) or "nothing"
        raise ValueError(f"{path}: holds {names}, expected weights under {key!r}; give the key of the {part}")
    return checkpoint[key]


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(entry, Tensor) for entry in value.values())


def layer_differences(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """Return the first layers that are missing, of another shape, not finite or unexpected; empty where all fit."""
    phrases = []
    for name, tensor in expected.items():
        if name not in state:
            phrases.append(f"{name} is missing, expected {tuple(tensor.shape)}")
        elif state[name].shape != tensor.shape:
            phrases.append(f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}")
        elif not state[name].isfinite().all():
            phrases.append(f"{name} is not finite, as after a training that diverged")
    phrases += [f"{name} {tuple(state[name].shape)} is unexpected" for name in state if name not in expected]
    more = [f"{len(phrases) - _MAX_LISTED} more"] if len(phrases) > _MAX_LISTED else []
    return "; ".join([*phrases[:_MAX_LISTED], *more])
