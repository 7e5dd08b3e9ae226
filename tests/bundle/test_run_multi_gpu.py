"""The multi_gpu_train overlay on two processes of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["lung", "skin"], indirect=True, scope="session")
def test_two_processes_end_with_one_network(
    bundle: Any, unlabeled: Path, tmp_path: Path, monai_bundle: Callable[..., str]
) -> None:
    """Weights and naming: each process sees other images, so both have to be agreed upon."""
    overrides = bundle.small_training(unlabeled, tmp_path / "output", batch_size=1)
    views = (
        f"$torch.save(@train#trainer.state.output['label']['grid'], '{tmp_path}/views' + str(dist.get_rank()) + '.pt')"
    )
    save = f"$torch.save(@network.state_dict(), '{tmp_path}/rank' + str(dist.get_rank()) + '.pt')"
    printed = monai_bundle(
        "training",
        cwd=tmp_path,
        module=("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "monai.bundle"),
        config_file=f"['{bundle.config_file('train')}','{bundle.config_file('multi_gpu_train')}']",
        finalize=[save, views, "$dist.destroy_process_group()"],
        **overrides,
    )
    grids = [torch.load(tmp_path / f"views{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert not torch.equal(*grids), "each process warps its images in its own way"
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    # Normalization keeps its running statistics to itself (broadcast_buffers is off) but for those of rank 0.
    learned = [key for key in ranks[0] if "running" not in key]
    assert "cluster_class" in learned
    assert [key for key in learned if not torch.equal(ranks[0][key], ranks[1][key])] == []
    written = sorted(path.name.split(".")[0] for path in (tmp_path / "output").iterdir())
    assert written.count("model") == 1
    assert [name for name in written if name.startswith("checkpoint")] == ["checkpoint_epoch=1"]
    assert printed.count("train_loss:") == 1, "the second process should be quiet"


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["cardiac"], indirect=True, scope="session")
def test_two_processes_learn_one_network_from_other_slices(
    bundle: Any, labeled: Path, tmp_path: Path, monai_bundle: Callable[..., str]
) -> None:
    """Gradients are averaged: weights are equal though each process draws and warps its own slices.

    Savers are built by the first process alone, and ask ignite for its rank: a collective call where it is the first.
    """
    images = f"$torch.save(@train#trainer.state.batch['image'], '{tmp_path}/batch' + str(dist.get_rank()) + '.pt')"
    save = f"$torch.save(@network.state_dict(), '{tmp_path}/rank' + str(dist.get_rank()) + '.pt')"
    monai_bundle(
        "training",
        cwd=tmp_path,
        module=("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "monai.bundle"),
        config_file=f"['{bundle.config_file('train')}','{bundle.config_file('multi_gpu_train')}']",
        finalize=[save, images, "$dist.destroy_process_group()"],
        **bundle.small_training(labeled, tmp_path / "output"),
    )
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert [key for key in ranks[0] if not torch.equal(ranks[0][key], ranks[1][key])] == []
    drawn = [torch.load(tmp_path / f"batch{rank}.pt", weights_only=False) for rank in (0, 1)]
    assert not torch.equal(drawn[0], drawn[1])
    product = torch.load(tmp_path / "output" / "model.pt", weights_only=True)
    assert all(torch.equal(product[key], ranks[0][key]) for key in ranks[0])
