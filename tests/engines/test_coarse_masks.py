"""Coarse masks: of the right network for every sample, in order, and nothing else changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from s3net_monai.engines import SemanticViews, add_coarse_masks, add_out_of_fold_masks, showing
from s3net_monai.losses import SemanticContrastiveLoss
from s3net_monai.networks import FeatureQueue, ObjectProjection
from s3net_monai.utils.errors import DataError
from tests.helpers.feature_encoders import ENCODERS, conv_unet


class Above(nn.Module):
    """Class 1 where the image is above a threshold, which is its only weight."""

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(threshold))
        self.dropout = nn.Dropout(0.99)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(x), self.dropout(x - self.threshold)], dim=1)


def sample(case_id: str, *size: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(sum(case_id.encode()))
    image = torch.rand(1, *size, generator=generator)
    return {"case_id": case_id, "image": image, "label": (image > 0.5).float()}


@pytest.mark.parametrize("sizes", [[(8, 6), (8, 6), (5, 7), (8, 6)], [(4, 5, 3), (4, 5, 3), (6, 5, 3), (4, 5, 3)]])
def test_each_sample_gets_its_own_mask(sizes: list[tuple[int, ...]]) -> None:
    samples = [sample(f"p{index}_a", *size) for index, size in enumerate(sizes)]
    found = add_coarse_masks(samples, Above(0.3).train(), key="rough")
    for before, after in zip(samples, found, strict=True):
        assert "rough" not in before
        assert torch.equal(after["rough"], (before["image"] > 0.3).to(torch.uint8))
        assert {key: value for key, value in after.items() if key != "rough"} == before


def test_more_samples_than_a_batch_holds() -> None:
    samples = [sample(f"p{index}_a", 4, 4) for index in range(37)]
    found = add_coarse_masks(samples, Above(0.4))
    assert [after["case_id"] for after in found] == [before["case_id"] for before in samples]
    assert all(torch.equal(s["coarse"], (s["image"] > 0.4).to(torch.uint8)) for s in found)


def test_the_network_stays_as_it_was() -> None:
    network = Above(0.4).train()
    found = add_coarse_masks([sample("p1_a", 4, 4)], network)
    assert network.training
    assert network.dropout.training
    assert network.threshold.item() == pytest.approx(0.4)
    assert network.threshold.grad is None
    assert not found[0]["coarse"].requires_grad
    assert add_coarse_masks([], network) == []


def write_models(folder: Path, thresholds: list[float]) -> list[Path]:
    paths = [folder / f"fold{index}.pt" for index in range(len(thresholds))]
    for path, threshold in zip(paths, thresholds, strict=True):
        torch.save(Above(threshold).state_dict(), path)
    return paths


def test_every_patient_is_left_to_the_model_that_never_saw_it(tmp_path: Path) -> None:
    """Patients a, b, c take turns over two folds: a and c are of fold 0, b of fold 1."""
    names = ["c_1_z00", "a_1_z00", "b_1_z00", "b_2_z01", "a_2_z00"]
    samples = [sample(name, 6, 5) for name in names]
    network = Above(0.9)
    found = add_out_of_fold_masks(samples, network, write_models(tmp_path, [0.2, 0.6]))
    assert [after["case_id"] for after in found] == names
    for after in found:
        threshold = 0.6 if after["case_id"].startswith("b") else 0.2
        assert torch.equal(after["coarse"], (after["image"] > threshold).to(torch.uint8))
    assert network.threshold.item() == pytest.approx(0.9)


def test_no_models_take_the_exact_labels() -> None:
    samples = [sample("a_1", 6, 5), sample("a_2", 6, 5)]
    found = add_out_of_fold_masks(samples, Above(), [], key="rough")
    assert all(torch.equal(after["rough"], before["label"]) for before, after in zip(samples, found, strict=True))


def test_wrong_models_are_refused(tmp_path: Path) -> None:
    samples = [sample(f"{name}_1", 6, 5) for name in "ab"]
    paths = write_models(tmp_path, [0.2, 0.6])
    with pytest.raises(DataError, match="1 folds over 2 labeled patients"):
        add_out_of_fold_masks(samples, Above(), paths[:1])
    with pytest.raises(DataError, match="3 folds over 2 labeled patients"):
        add_out_of_fold_masks(samples, Above(), [*paths, paths[0]])
    with pytest.raises(FileNotFoundError, match=r"none\.pt: no such checkpoint of a network"):
        add_out_of_fold_masks(samples, Above(), [paths[0], tmp_path / "none.pt"])
    with pytest.raises(ValueError, match="its network does not fit: weight is missing"):
        add_out_of_fold_masks(samples, nn.Linear(1, 1), paths)


def test_samples_that_show_no_class_are_left_out() -> None:
    maps = [torch.tensor(values, dtype=torch.uint8) for values in ([0, 0], [0, 1], [3, 0], [2, 2])]
    samples = [{"case_id": str(index), "rough": values} for index, values in enumerate(maps)]
    assert [s["case_id"] for s in showing(samples, [1, 2], "rough")] == ["1", "3"]
    with pytest.raises(DataError, match=r"none of 4 samples shows one of the classes \[7\] under 'rough'"):
        showing(samples, [7], "rough")


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_training_step_with_them(spatial_dims: int) -> None:
    """From images to a gradient at every layer of the encoder, in both numbers of dimensions."""
    torch.manual_seed(0)
    coarse = conv_unet(spatial_dims, in_channels=1, out_channels=3)
    size = [16, 20, 12][:spatial_dims]
    samples = add_coarse_masks([sample(f"p{index}_1", *size) for index in range(4)], coarse)
    batch = {key: torch.stack([s[key] for s in showing(samples, [1, 2])]) for key in ("image", "coarse")}
    network = ObjectProjection(ENCODERS["conv"](spatial_dims, 2), spatial_dims, 2)
    loss = SemanticContrastiveLoss(FeatureQueue(16, 64, labeled=True))
    for _ in range(2):
        views, classes = SemanticViews([1, 2], mask_key="coarse")(batch)
        loss(network(views), classes).backward()
    assert all(p.grad.any() for name, p in network.encoder.named_parameters() if name.endswith("conv.weight"))
    assert all(p.grad is None for p in coarse.parameters())
