"""Tests of pseudo-labels: selection of whole volumes, and the masks of the network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from s3net_monai.engines import AffineTTAInferer, select_pseudo_labels
from s3net_monai.utils.errors import DataError


class Bright(nn.Module):
    """Predict class 1 above 0.5 and class 2 above 1.5; the only weight is a shift."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(0.0))
        self.dropout = nn.Dropout(0.99)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(x + self.shift)
        return torch.cat([0.5 - x, x - 0.5, 3 * x - 3.5], dim=1) * 20


def slices(name: str, *planes: Tensor, **extra: Any) -> list[dict[str, Any]]:
    return [
        {"case_id": f"{name}_z{index:02d}", "volume": name, "image": plane[None], **extra}
        for index, plane in enumerate(planes)
    ]


def disc(radius: float, value: float = 1.0, center: tuple[int, int] = (16, 16)) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    return value * (((rows - center[0]) ** 2 + (columns - center[1]) ** 2) <= radius**2).float()


def heart(radius: float) -> Tensor:
    return torch.maximum(disc(radius), disc(radius / 2, 2.0))


def lines() -> Tensor:
    """Return two thin lines far from the center, which are elsewhere in every rotated copy."""
    image = torch.zeros(32, 32)
    image[1, :] = 1
    image[29, :] = 2
    return image


ROTATIONS = AffineTTAInferer(((0, 1), (20, 1), (-20, 1)))


def test_discs_are_consistent_and_lines_are_not() -> None:
    samples = [*slices("lines", lines()), *slices("a", heart(10), heart(8)), *slices("b", heart(9))]
    selected = select_pseudo_labels(samples, Bright(), ROTATIONS, fraction=2 / 3)
    assert {sample["volume"] for sample in selected} == {"a", "b"}
    assert sorted(sample["case_id"] for sample in selected) == ["a_z00", "a_z01", "b_z00"]


def test_masks_are_those_of_the_mean_of_all_copies() -> None:
    samples = slices("a", heart(10), heart(8))
    network = Bright().eval()
    for sample in select_pseudo_labels(samples, network, ROTATIONS, fraction=1.0):
        views = [view.softmax(1) for view in ROTATIONS.views(sample["image"][None], network)]
        expected = (sum(views[1:], views[0]) / 3).argmax(1).to(torch.uint8)
        assert sample["label"].dtype == torch.uint8
        assert torch.equal(sample["label"], expected)


def test_the_largest_component_is_that_of_the_volume() -> None:
    """The speck in the second slice is the largest component of its slice, but not of the volume."""
    body, speck = disc(10), disc(3, center=(27, 4))
    selected = select_pseudo_labels(
        slices("a", body, speck), Bright(), AffineTTAInferer(((0, 1), (0, 1.01))), fraction=1.0
    )
    assert selected[0]["label"].any()
    assert not selected[1]["label"].any()


def test_structures_of_several_pieces_stay_whole() -> None:
    kidneys = torch.maximum(disc(5, center=(16, 7)), disc(6, center=(16, 24)))
    inferer = AffineTTAInferer(((0, 1), (0, 1.01)))
    both = select_pseudo_labels(slices("a", kidneys), Bright(), inferer, fraction=1.0, largest=False)[0]["label"]
    largest = select_pseudo_labels(slices("a", kidneys), Bright(), inferer, fraction=1.0)[0]["label"]
    assert both[0, 16, 7] == both[0, 16, 24] == 1
    assert (largest[0, 16, 7], largest[0, 16, 24]) == (0, 1)


def test_a_volume_with_fewer_classes_ranks_lower() -> None:
    samples = [*slices("one", disc(12)), *slices("both", heart(8))]
    selected = select_pseudo_labels(samples, Bright(), ROTATIONS, fraction=0.5)
    assert [sample["volume"] for sample in selected] == ["both"]


def test_single_slices_need_not_show_every_class() -> None:
    """The larger disc is more consistent; an empty slice would be most consistent, but is useless."""
    samples = [*slices("both", heart(8)), *slices("one", disc(12)), *slices("none", torch.zeros(32, 32))]
    selected = select_pseudo_labels(samples, Bright(), ROTATIONS, fraction=1 / 3, complete=False)
    assert [sample["volume"] for sample in selected] == ["one"]
    all_selected = select_pseudo_labels(samples, Bright(), ROTATIONS, fraction=1.0, complete=False)
    assert [sample["volume"] for sample in all_selected] == ["one", "both"]


def test_labels_are_not_used_and_nothing_is_changed() -> None:
    wrong = torch.full((1, 32, 32), 7)
    samples = slices("a", heart(10), label=wrong)
    network = Bright().train()
    selected = select_pseudo_labels(samples, network, ROTATIONS, fraction=1.0)
    assert samples[0]["label"] is wrong
    assert set(selected[0]["label"].unique().tolist()) == {0, 1, 2}
    assert network.training
    assert network.dropout.training
    assert network.shift.grad is None


def test_volumes_of_a_network_in_3d() -> None:
    """A cylinder stays; a separate bead of the same class is dropped."""
    image = torch.stack([heart(10)] * 4 + [torch.zeros(32, 32)] * 2 + [disc(3)], dim=-1)[None]
    selected = select_pseudo_labels(
        [{"image": image}, {"image": torch.zeros_like(image)}], Bright(), ROTATIONS, fraction=1.0
    )
    assert len(selected) == 1  # an empty mask is useless
    assert selected[0]["label"].shape == (1, 32, 32, 7)
    assert selected[0]["label"][..., :4].any()
    assert not selected[0]["label"][..., 4:].any()


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(DataError, match="over 0 and at most 1"):
        select_pseudo_labels(slices("a", heart(9)), Bright(), ROTATIONS, fraction=fraction)


def test_a_network_that_finds_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="train the teacher for longer"):
        select_pseudo_labels(slices("a", torch.zeros(32, 32)), Bright(), ROTATIONS, fraction=1.0)


def test_no_samples_give_no_pseudo_labels() -> None:
    assert select_pseudo_labels([], Bright(), ROTATIONS, fraction=0.5) == []


def test_a_single_copy_is_refused() -> None:
    with pytest.raises(DataError, match="2 or more"):
        select_pseudo_labels(slices("a", heart(9)), Bright(), AffineTTAInferer(((0, 1),)), fraction=1.0)
