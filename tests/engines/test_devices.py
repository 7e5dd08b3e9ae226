"""Devices and process groups of trainings; two processes are in tests/bundle/test_run_multi_gpu.py."""

from __future__ import annotations

import ignite.distributed as idist
import pytest
import torch
import torch.distributed as dist

from s3net_monai.engines import default_device, join_process_group, local_device


@pytest.mark.parametrize(("cuda", "expected"), [(True, "cuda:0"), (False, "cpu")])
def test_default_is_the_first_gpu(cuda: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert default_device() == torch.device(expected)


@pytest.mark.parametrize(("cuda", "expected"), [(True, "cuda:3"), (False, "cpu")])
def test_local_is_the_gpu_of_the_process(cuda: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local_device() == torch.device(expected)


def test_process_group_is_known_to_ignite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in alone.items():
        monkeypatch.setenv(name, value)
    join_process_group("cpu")
    try:
        assert dist.get_backend() == idist.backend() == "gloo"
    finally:
        idist.finalize()
