"""Pseudo-labels: the volumes that a network is sure of are taken whole, with its own masks, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from s3net_monai.engines import AffineTTAInferer
from s3net_monai.engines import select_pseudo_labels
from s3net_monai.utils.errors import DataError


class Bright(nn.Module):
    """Class 1 above a half, class 2 above 1.5; its only weight is a shift."""

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


def wandering() -> Tensor:
    """Two thin lines far from the center, which no two copies have in one place."""
    image = torch.zeros(32, 32)
    image[1, :] = 1
    image[29, :] = 2
    return image


TURNS = AffineTTAInferer(((0, 1), (20, 1), (-20, 1)))


def test_discs_stay_when_turned_and_lines_do_not() -> None:
    samples = [*slices("lines", wandering()), *slices("a", heart(10), heart(8)), *slices("b", heart(9))]
    found = select_pseudo_labels(samples, Bright(), TURNS, share=2 / 3)
    assert {sample["volume"] for sample in found} == {"a", "b"}
    assert sorted(sample["case_id"] for sample in found) == ["a_z00", "a_z01", "b_z00"]


def test_masks_are_those_of_the_mean_of_all_copies() -> None:
    samples = slices("a", heart(10), heart(8))
    network = Bright().eval()
    for sample in select_pseudo_labels(samples, network, TURNS, share=1.0):
        views = [view.softmax(1) for view in TURNS.views(sample["image"][None], network)]
        expected = (sum(views[1:], views[0]) / 3).argmax(1).to(torch.uint8)
        assert sample["label"].dtype == torch.uint8
        assert torch.equal(sample["label"], expected)


def test_the_largest_component_is_taken_of_the_volume_not_of_the_slice() -> None:
    """The second slice has a speck alone: in the slice it would be the largest, in the volume it is not."""
    body, speck = disc(10), disc(3, center=(27, 4))
    found = select_pseudo_labels(slices("a", body, speck), Bright(), AffineTTAInferer(((0, 1), (0, 1.01))), share=1.0)
    assert found[0]["label"].any()
    assert not found[1]["label"].any()


def test_structures_of_several_pieces_stay_whole() -> None:
    kidneys = torch.maximum(disc(5, center=(16, 7)), disc(6, center=(16, 24)))
    copies = AffineTTAInferer(((0, 1), (0, 1.01)))
    both = select_pseudo_labels(slices("a", kidneys), Bright(), copies, share=1.0, largest=False)[0]["label"]
    one = select_pseudo_labels(slices("a", kidneys), Bright(), copies, share=1.0)[0]["label"]
    assert both[0, 16, 7] == both[0, 16, 24] == 1
    assert (one[0, 16, 7], one[0, 16, 24]) == (0, 1)


def test_a_volume_that_shows_fewer_classes_comes_after_one_that_shows_all() -> None:
    samples = [*slices("one", disc(12)), *slices("both", heart(8))]
    found = select_pseudo_labels(samples, Bright(), TURNS, share=0.5)
    assert [sample["volume"] for sample in found] == ["both"]


def test_single_slices_need_not_show_every_class() -> None:
    """The larger disc holds better when it is turned; an empty slice would hold best, and teaches nothing."""
    samples = [*slices("both", heart(8)), *slices("one", disc(12)), *slices("none", torch.zeros(32, 32))]
    found = select_pseudo_labels(samples, Bright(), TURNS, share=1 / 3, complete=False)
    assert [sample["volume"] for sample in found] == ["one"]
    every = select_pseudo_labels(samples, Bright(), TURNS, share=1.0, complete=False)
    assert [sample["volume"] for sample in every] == ["one", "both"]


def test_labels_are_not_looked_at_and_nothing_is_changed() -> None:
    wrong = torch.full((1, 32, 32), 7)
    samples = slices("a", heart(10), label=wrong)
    network = Bright().train()
    found = select_pseudo_labels(samples, network, TURNS, share=1.0)
    assert samples[0]["label"] is wrong
    assert set(found[0]["label"].unique().tolist()) == {0, 1, 2}
    assert network.training
    assert network.dropout.training
    assert network.shift.grad is None


def test_volumes_of_a_network_in_3d() -> None:
    """A cylinder and, apart from it, a bead of the same class, which is dropped."""
    image = torch.stack([heart(10)] * 4 + [torch.zeros(32, 32)] * 2 + [disc(3)], dim=-1)[None]
    found = select_pseudo_labels([{"image": image}, {"image": torch.zeros_like(image)}], Bright(), TURNS, share=1.0)
    assert len(found) == 1  # nothing is to be learned of an empty mask
    assert found[0]["label"].shape == (1, 32, 32, 7)
    assert found[0]["label"][..., :4].any()
    assert not found[0]["label"][..., 4:].any()


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="over 0 and at most 1"):
        select_pseudo_labels(slices("a", heart(9)), Bright(), TURNS, share)


def test_a_network_that_finds_nothing_teaches_nothing() -> None:
    with pytest.raises(DataError, match="train the teacher for longer"):
        select_pseudo_labels(slices("a", torch.zeros(32, 32)), Bright(), TURNS, share=1.0)


def test_no_samples_give_no_pseudo_labels() -> None:
    assert select_pseudo_labels([], Bright(), TURNS, share=0.5) == []


def test_one_copy_has_nothing_to_agree_with() -> None:
    with pytest.raises(DataError, match="2 or more"):
        select_pseudo_labels(slices("a", heart(9)), Bright(), AffineTTAInferer(((0, 1),)), share=1.0)
