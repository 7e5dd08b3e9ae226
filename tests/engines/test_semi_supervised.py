"""Labeled and unlabeled images together: who meets whom how often, and what moves with what."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.data import CacheDataset, DataLoader
from monai.engines import SupervisedTrainer
from monai.inferers import SimpleInferer
from monai.transforms import RandGaussianNoised
from torch import Tensor, nn

from s3net_monai.engines.ramp_up import RampUpHandler
from s3net_monai.engines.semi_supervised import SemiSupervisedDataset, SemiSupervisedPrepareBatch
from s3net_monai.engines.two_views import TwoViews
from s3net_monai.losses.bidirectional import BidirectionalLoss

NOTHING = {**dict.fromkeys(("rotate", "scale", "shear", "translate", "flip", "gain", "bias", "noise"), 0.0)}


def samples(count: int, labeled: bool, size: tuple[int, ...] = (16, 20), first: int = 0) -> list[dict[str, Any]]:
    """Images of one bright box, whose label it is; "number" tells them apart."""
    made = []
    for number in range(first, first + count):
        label = torch.zeros(1, *size)
        label[:, 4:10, 6:12] = 1
        made.append({"image": label * 0.8 + 0.1, "number": number, **({"label": label} if labeled else {})})
    return made


@pytest.mark.parametrize(("labeled", "unlabeled"), [(3, 10), (10, 3), (4, 4)])
def test_an_epoch_repeats_the_smaller_part_evenly(labeled: int, unlabeled: int) -> None:
    data = SemiSupervisedDataset(samples(labeled, True), samples(unlabeled, False, first=100))
    pairs = list(data)
    assert len(pairs) == len(data) == max(labeled, unlabeled)
    for part, count in (("labeled", labeled), ("unlabeled", unlabeled)):
        met = Counter(pair[part]["number"] for pair in pairs).values()
        assert len(met) == count
        assert max(met) - min(met) <= 1


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(ValueError, match="0 labeled and 2 unlabeled"):
        SemiSupervisedDataset([], samples(2, False))


def test_loader_seeds_the_transforms_of_both_parts_in_workers() -> None:
    def part(labeled: bool) -> CacheDataset:
        noise = RandGaussianNoised("image", prob=1.0)
        return CacheDataset(samples(4, labeled), noise, progress=False)

    def epoch(seed: int) -> list[dict[str, Any]]:
        torch.manual_seed(seed)
        return list(DataLoader(SemiSupervisedDataset(part(True), part(False)), batch_size=2, num_workers=1))

    first, again, other = epoch(0), epoch(0), epoch(1)
    assert first[0]["labeled"]["image"].shape == (2, 1, 16, 20)
    for name in ("labeled", "unlabeled"):
        assert torch.equal(first[1][name]["image"], again[1][name]["image"])
        assert not torch.equal(first[1][name]["image"], other[1][name]["image"])
    assert not torch.equal(first[0]["labeled"]["image"], first[0]["unlabeled"]["image"])


def batch(size: tuple[int, ...], labeled: int = 2, unlabeled: int = 3) -> dict[str, Any]:
    loader = DataLoader(
        SemiSupervisedDataset(samples(labeled, True, size), samples(unlabeled, False, size)), batch_size=8
    )
    found = next(iter(loader))
    found["labeled"] = {key: value[:labeled] for key, value in found["labeled"].items()}
    return found


@pytest.mark.parametrize("size", [(32, 40), (16, 20, 12)])
def test_order_shapes_and_labels(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    views, target = SemiSupervisedPrepareBatch()(batch(size))
    assert views.shape == (10, 1, *size)
    assert target["labeled"].tolist() == [True, True, False, False, False]
    assert target["label"].shape == (5, 1, *size)
    assert target["label"].dtype == torch.int64
    assert target["label"][:2].flatten(1).any(1).all()
    assert not target["label"][2:].any()


@pytest.mark.parametrize("size", [(32, 40), (16, 20, 12)])
def test_label_moves_with_its_image_beyond_the_border_too(size: tuple[int, ...]) -> None:
    geometry = {"rotate": 180.0, "scale": 0.5, "shear": 0.1, "translate": 0.4, "flip": 0.5}
    torch.manual_seed(1)
    colorless = TwoViews(**{**NOTHING, **geometry})
    views, target = SemiSupervisedPrepareBatch(colorless, TwoViews(**NOTHING))(batch(size, labeled=5))
    image = views[:5]
    torch.testing.assert_close(image, views.chunk(2)[1][:5])
    sure = (image - 0.5).abs() > 0.38
    assert sure.float().mean() > 0.7
    assert ((image > 0.5) == (target["label"][:5] > 0))[sure].float().mean() > 0.995
    original = batch(size, labeled=5)["labeled"]["label"]
    assert (target["label"][:5] != original).flatten(1).any(1).all()


def test_perturbations_share_their_geometry_and_differ_in_color() -> None:
    torch.manual_seed(2)
    first = TwoViews(**{**NOTHING, "rotate": 180.0, "gain": 0.1, "bias": 0.05})
    views, _ = SemiSupervisedPrepareBatch(first, TwoViews(gain=0.4, bias=0.2, noise=0.0))(batch((32, 40)))
    for one, two in zip(views[:5], views[5:], strict=True):
        pair = torch.stack([one.flatten(), two.flatten()])
        assert torch.corrcoef(pair)[0, 1] > 0.999  # linear recoloring of the same pixels
        assert (one - two).abs().mean() > 0.005


def test_a_second_view_stands_in_the_second_perturbation_of_its_part() -> None:
    found = batch((32, 40))
    found["unlabeled"]["image_second"] = -found["unlabeled"]["image"]
    still = TwoViews(**NOTHING)
    views, _ = SemiSupervisedPrepareBatch(still, still)(found)
    torch.testing.assert_close(views[5:7], views[:2])
    torch.testing.assert_close(views[7:], -views[2:5])


def test_second_perturbation_is_the_stronger_by_default() -> None:
    torch.manual_seed(0)
    flat = {"labeled": {"image": torch.full((64, 1, 8, 8), 0.5), "label": torch.zeros(64, 1, 8, 8)}}
    views, _ = SemiSupervisedPrepareBatch()({**flat, "unlabeled": {"image": torch.full((64, 1, 8, 8), 0.5)}})
    change = (views - 0.5).abs().flatten(1).mean(1)
    assert change[128:].mean() > 1.5 * change[:128].mean()


def test_chance_is_torchs_or_the_seeds() -> None:
    def view(views: SemiSupervisedPrepareBatch, seed: int) -> Tensor:
        torch.manual_seed(seed)
        return views(batch((16, 20)))[0]

    free, fixed = SemiSupervisedPrepareBatch(), SemiSupervisedPrepareBatch(TwoViews(seed=4))
    assert torch.equal(view(free, 1), view(free, 1))
    assert not torch.equal(view(free, 1), view(free, 2))
    assert torch.equal(view(fixed, 1), view(fixed, 2))


def test_with_monais_trainer_and_the_bidirectional_loss() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 3, padding=1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.a(x), self.b(x)

    torch.manual_seed(0)
    network, loss = Two(), BidirectionalLoss(threshold=0.8)
    losses: list[float] = []
    loader = DataLoader(SemiSupervisedDataset(samples(2, True), samples(6, False)), batch_size=3)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=30,
        train_data_loader=loader,
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=0.05),
        loss_function=loss,
        inferer=SimpleInferer(),
        prepare_batch=SemiSupervisedPrepareBatch(),
        decollate=False,
    )
    RampUpHandler(loss, iterations=10).attach(trainer)
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output["loss"].item())
    )
    trainer.run()
    assert sum(losses[-6:]) < 0.7 * sum(losses[:6])
