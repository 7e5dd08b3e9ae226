"""Devices of a training: one GPU or the CPU, or one GPU per process of ``torchrun``."""

from __future__ import annotations

import os

import ignite.distributed as idist
import torch
import torch.distributed as dist


def default_device() -> torch.device:
    """Return the first GPU, or the CPU where there is none.

    Example:
        >>> default_device().type in ("cuda", "cpu")
        True
    """
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def local_device() -> torch.device:
    """Return the GPU of this process of ``torchrun``, by its LOCAL_RANK, or the CPU where there is none.

    Example:
        >>> import os
        >>> os.environ["LOCAL_RANK"] = "0"
        >>> local_device().type in ("cuda", "cpu")
        True
    """
    return torch.device("cuda:" + os.environ["LOCAL_RANK"] if torch.cuda.is_available() else "cpu")


def join_process_group(device: str | torch.device) -> None:
    """Join the processes that ``torchrun`` started: NCCL between GPUs, Gloo between CPUs.

    ignite is told as well, by all processes at the same time: it asks the others when it is first used, and a handler
    that only the first process builds would wait for them forever.

    Args:
        device: that of this process.

    Example:
        >>> alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
        >>> os.environ.update(alone)  # as torchrun does
        >>> join_process_group("cpu")
        >>> idist.get_world_size()
        1
        >>> idist.finalize()
        >>> for name in alone:
        ...     del os.environ[name]
    """
    dist.init_process_group(backend="nccl" if torch.cuda.is_available() else "gloo")
    idist.sync()
    if torch.device(device).type == "cuda":
        torch.cuda.set_device(device)
