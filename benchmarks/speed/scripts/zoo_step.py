"""Seconds of one training step of a network of MONAI: ``zoo_step.py RESULT.json NETWORK BATCH CHANNELS STEPS SIZE...``.

The networks have the settings of bundles of MONAI's model zoo; a stage that would halve an axis of one voxel halves the
other axes alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import BasicUNet, DynUNet, SegResNet, UNet
from timing import timed, write_result
from torch import nn


def main(result: str, name: str, batch: str, channels: str, steps: str, *size: str) -> None:
    """Train on random images and labels, and write the median seconds of a step."""
    torch.manual_seed(0)
    shape = [int(length) for length in size]
    network = NETWORKS[name](shape, int(channels)).train()
    loss, optimizer = DiceCELoss(to_onehot_y=True, softmax=True), torch.optim.AdamW(network.parameters(), lr=1e-3)
    image = torch.rand(int(batch), int(channels), *shape)
    label = (torch.rand(int(batch), 1, *shape) > 0.5).float()

    def step() -> None:
        optimizer.zero_grad()
        loss(network(image), label).backward()
        optimizer.step()

    write_result(result, timed(step, int(steps)))


def strides(size: Sequence[int], stages: int) -> Any:
    """Return the stride of each of ``stages`` halvings, 1 along axes that cannot be halved any more."""
    lengths, result = list(size), list[list[int]]()
    for _ in range(stages):
        result.append([2 if length % 2 == 0 and length > 1 else 1 for length in lengths])
        lengths = [length // step for length, step in zip(lengths, result[-1], strict=True)]
    return result


def unet(size: Sequence[int], channels: int) -> nn.Module:
    """Return the UNet of the zoo's spleen_ct_segmentation."""
    widths, dimensions = (16, 32, 64, 128, 256), len(size)
    return UNet(dimensions, channels, 2, widths, strides(size, 4), num_res_units=2, norm="batch")


def basic_unet(size: Sequence[int], channels: int) -> nn.Module:
    """Return MONAI's BasicUNet by its defaults."""
    return BasicUNet(len(size), channels, 2)


def seg_res_net(size: Sequence[int], channels: int) -> nn.Module:
    """Return the SegResNet of the zoo's brats_mri_segmentation."""
    return SegResNet(len(size), 16, channels, 2, dropout_prob=0.2, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1))


def dyn_unet(size: Sequence[int], channels: int) -> nn.Module:
    """Return the DynUNet of the zoo's spleen_deepedit_annotation."""
    halvings = strides(size, 5)
    kernels = [[3] * len(size)] * 6
    return DynUNet(
        len(size),
        channels,
        2,
        kernels,
        [[1] * len(size), *halvings],
        halvings,
        norm_name="instance",
        deep_supervision=False,
        res_block=True,
    )


NETWORKS: dict[str, Callable[[Sequence[int], int], nn.Module]] = {
    "UNet": unet,
    "BasicUNet": basic_unet,
    "SegResNet": seg_res_net,
    "DynUNet": dyn_unet,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
