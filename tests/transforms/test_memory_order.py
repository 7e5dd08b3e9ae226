"""Tests of views in the order of memory."""

from __future__ import annotations

from itertools import permutations

import torch

from s3net_monai.transforms.memory_order import in_memory_order


def test_every_order_becomes_contiguous() -> None:
    values = torch.arange(24).reshape(2, 3, 4)
    for order in permutations(range(3)):
        assert torch.equal(in_memory_order(values.permute(order)), values)
