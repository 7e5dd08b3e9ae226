"""Checkpoints, of which tensors alone are read: a pickle can name any code, and reading it would run that code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from s3net_monai.utils.reasons import NO_MEMORY, is_out_of_memory


def read_tensors(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Return the content of a checkpoint: tensors, numbers, texts, and lists and dictionaries of them.

    Args:
        path: written by ``torch.save``.
        device: of the tensors.

    Raises:
        ValueError: when the file cannot be read, is damaged or holds anything else. One line: file, found, remedy.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"weight": torch.ones(2)}, f"{folder}/model.pt")
        ...     read_tensors(f"{folder}/model.pt")
        {'weight': tensor([1., 1.])}
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except Exception as error:  # from the file system, zipfile, pickle or torch
        if is_out_of_memory(error):
            raise ValueError(f"{path}: {NO_MEMORY}") from None
        # Without torch's message, which would advise to read the file without this check.
        raise ValueError(
            f"{path}: damaged, or not a checkpoint of tensors alone, and nothing else in it is read; copy it again, "
            "or save the state_dict of the network"
        ) from None
