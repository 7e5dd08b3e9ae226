"""Taking trained weights over: an encoder into the network that is to be fine-tuned, or a whole network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_SHOWN = 3  # differing layers that a refusal names


def load_encoder(network: nn.Module, path: str | Path, key: str = "encoder") -> nn.Module:
    """Load the weights of ``network.encoder``, or of ``network`` itself if it has none, and give ``network`` back.

    Everything must fit: names and shapes of all layers, so also the channels of the image. A method that was
    pre-trained on (image, mask) is fine-tuned on (image, mask). Nothing is changed when the file is refused.

    The pre-training saves by a stock ``CheckpointSaver`` with ``"save_dict": {"encoder": "@encoder"}``. Beware that
    it drops the key of a ``save_dict`` with a single entry, and writes the bare state dict: both forms are taken.

    Args:
        network: EncoderUNet, DualDecoderUNet, a projection, or an encoder.
        path: the checkpoint. Only tensors are read from it, no code is run.
        key: name of the encoder in the checkpoint.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is damaged, holds no such key, or does not fit. One line: file, found, expected, remedy.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint; pre-train first, or leave the pre-trained encoder out")
    _load(getattr(network, "encoder", network), path, key, "encoder", "pre-trained")
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
    """Load all weights of a trained network, such as the ``model.pt`` of ``configs/train.json``, and give it back.

    As ``load_encoder``, of which it has all arguments and refusals, but for the network as a whole.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{str(path) or 'no path'}: no such checkpoint of a network; train one, and name its file"
        )
    _load(network, path, key, "network", "trained")
    return network


def _load(module: nn.Module, path: str | Path, key: str, what: str, how: str) -> None:
    state = _state(_read(path), path, key, what)
    differences = _differences(state, module.state_dict())
    if differences:
        shown = "; ".join(differences[:_SHOWN])
        more = f"; {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise ValueError(f"{path}: its {what} does not fit: {shown}{more}. Build the {what} that was {how}")
    module.load_state_dict(state, strict=True)


def _read(path: str | Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises from zipfile, pickle, torch or the operating system
        reason = type(error).__name__
        raise ValueError(
            f"{path}: not a checkpoint of tensors, or damaged ({reason}); copy or train it again"
        ) from None


def _state(checkpoint: Any, path: str | Path, key: str, what: str) -> Mapping[str, Tensor]:
    if _is_state(checkpoint):
        return checkpoint
    if not isinstance(checkpoint, Mapping):
        raise ValueError(
            f"{path}: holds {type(checkpoint).__name__}, expected weights under {key!r}; give another file"
        )
    if not _is_state(checkpoint.get(key)):
        found = ", ".join(repr(name) for name in checkpoint) or "nothing"
        raise ValueError(f"{path}: holds {found}, expected weights under {key!r}; give the key of the {what}")
    return checkpoint[key]


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(entry, Tensor) for entry in value.values())


def _differences(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """One phrase for every layer that is missing, of another shape, not finite or unexpected."""
    phrases = []
    for name, tensor in expected.items():
        if name not in found:
            phrases.append(f"{name} is missing, expected {tuple(tensor.shape)}")
        elif found[name].shape != tensor.shape:
            phrases.append(f"{name} is {tuple(found[name].shape)}, expected {tuple(tensor.shape)}")
        elif not found[name].isfinite().all():
            phrases.append(f"{name} is not finite, as after a training that diverged")
    phrases += [f"{name} {tuple(found[name].shape)} is unexpected" for name in found if name not in expected]
    return phrases
