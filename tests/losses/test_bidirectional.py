"""Bidirectional consistency: loops over every voxel, who teaches whom, the ramp-up and its checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.engines import SupervisedTrainer
from monai.losses import DiceCELoss
from torch import Tensor, nn

from s3net_monai.losses import BidirectionalLoss


def draw(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(
    size: tuple[int, ...], labeled: list[bool], classes: int = 3, views: int = 2
) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    count = len(labeled)
    heads = (draw(views * count, classes, *size), draw(views * count, classes, *size, seed=1))
    label = torch.randint(0, classes, (count, 1, *size), generator=torch.Generator().manual_seed(2))
    return heads, {"label": label, "labeled": torch.tensor(labeled)}


def softmax(logits: np.ndarray) -> np.ndarray:
    share = np.exp(logits - logits.max())
    return share / share.sum()


def slow_dice(share: np.ndarray, label: np.ndarray, counted: np.ndarray) -> float:
    """1 - Dice of every class over all voxels (N, K) that count, averaged over the classes."""
    dice = []
    for k in range(share.shape[1]):
        both = sum(share[v, k] for v in range(len(label)) if counted[v] and label[v] == k)
        size = sum(share[v, k] + (label[v] == k) for v in range(len(label)) if counted[v])
        dice.append((2 * both + 1e-5) / (size + 1e-5))
    return 1 - float(np.mean(dice))


def voxels(logits: Tensor) -> np.ndarray:
    """Class probabilities of every voxel, (voxels, K)."""
    rows = logits.double().movedim(1, -1).flatten(0, -2).numpy()
    return np.stack([softmax(row) for row in rows])


def slow_supervised(logits: Tensor, label: Tensor) -> float:
    share, known = voxels(logits), label.flatten().numpy()
    entropy = -np.mean([math.log(share[v, known[v]]) for v in range(len(known))])
    return float(entropy) + slow_dice(share, known, np.ones(len(known), dtype=bool))


def slow_pseudo(logits: Tensor, teacher: Tensor, threshold: float, pseudo_dice: float) -> float:
    share, given = voxels(logits), voxels(teacher)
    known, trusted = given.argmax(axis=1), given.max(axis=1) >= threshold
    entropy = -sum(math.log(share[v, known[v]]) for v in range(len(known)) if trusted[v]) / len(known)
    return entropy + pseudo_dice * slow_dice(share, known, trusted)


@pytest.mark.parametrize("size", [(4, 5), (3, 2, 4)])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("threshold", [0.0, 0.7, 0.9])
@pytest.mark.parametrize("pseudo_dice", [0.0, 0.5])
@pytest.mark.parametrize("views", [1, 2])
def test_equals_the_loop(size: tuple[int, ...], classes: int, threshold: float, pseudo_dice: float, views: int) -> None:
    (first, second), target = batch(size, [True, False, False], classes, views)
    loss = BidirectionalLoss(threshold, weight=0.7, ramp_up=0, pseudo_dice=pseudo_dice)
    known, free = [0, 3][:views], [1, 2, 4, 5][: 2 * views]
    partner = {1: [1, 2], 2: [4, 5, 1, 2]}[views]  # the other perturbation of the same images
    label = target["label"][:1].repeat(views, *[1] * (len(size) + 1))
    supervised = (slow_supervised(first[known], label) + slow_supervised(second[known], label)) / 2
    taught = slow_pseudo(first[free], second[partner], threshold, pseudo_dice)
    teaching = slow_pseudo(second[partner], first[free], threshold, pseudo_dice)
    expected = supervised + 0.7 * (taught + teaching) / 2
    assert loss((first, second), target).item() == pytest.approx(expected, rel=1e-4)


def test_labeled_images_alone_are_the_loss_of_monai() -> None:
    (first, second), target = batch((5, 4), [True, True], views=1)
    dice_ce = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
    expected = (dice_ce(first, target["label"]) + dice_ce(second, target["label"])) / 2
    torch.testing.assert_close(BidirectionalLoss()((first, second), target), expected)


def certain(*classes: int) -> Tensor:
    """Logits (1, 3, voxels, 1) that are sure of a class, or of none where it is -1."""
    logits = torch.zeros(1, 3, len(classes), 1)
    for voxel, k in enumerate(classes):
        if k >= 0:
            logits[0, k, voxel] = 20
    return logits


def test_cross_entropy_on_trusted_voxels_by_hand() -> None:
    """The teacher is sure of two voxels of four; the pupil knows nothing: 2/4 log 3, and 0 where nothing is trusted."""
    loss = BidirectionalLoss(pseudo_dice=0)
    nothing = certain(-1, -1, -1, -1)
    assert loss.pseudo(nothing, certain(1, -1, 2, -1)).item() == pytest.approx(math.log(3) / 2, rel=1e-5)
    assert loss.pseudo(certain(1, 0, 2, 0), nothing).item() == 0
    assert BidirectionalLoss().pseudo(certain(1, 0, 2, 0), nothing).item() == pytest.approx(0, abs=1e-5)


def test_agreement_costs_nothing_and_contradiction_much() -> None:
    loss, first = BidirectionalLoss(), certain(0, 1, 2, 1)
    assert loss.pseudo(first, first).item() == pytest.approx(0, abs=1e-4)
    assert loss.pseudo(first, certain(1, 0, 1, 2)).item() > 10


@pytest.mark.parametrize("pseudo_dice", [0.0, 1.0])
def test_a_pseudo_label_teaches_trusted_voxels_of_the_pupil_alone(pseudo_dice: float) -> None:
    pupil, teacher = draw(1, 3, 4, 1).requires_grad_(), certain(1, -1, 2, -1).requires_grad_()
    BidirectionalLoss(pseudo_dice=pseudo_dice).pseudo(pupil, teacher).backward()
    assert teacher.grad is None
    assert (pupil.grad.abs().sum(dim=1).flatten() > 0).tolist() == [True, False, True, False]


def test_an_unsure_decoder_is_taught_by_a_sure_one_and_not_the_other_way() -> None:
    sure, unsure = certain(1, 0, 2, 1).requires_grad_(), (0.1 * draw(1, 3, 4, 1)).requires_grad_()
    target = {"label": torch.zeros(1, 1, 4, 1), "labeled": torch.tensor([False])}
    BidirectionalLoss(ramp_up=0)((sure, unsure), target).backward()
    assert unsure.grad.abs().sum() > 0
    assert sure.grad.abs().sum() == 0


def test_one_perturbation_is_taught_by_the_other_of_the_same_image() -> None:
    """Decoder a is sure on the second perturbation of the second image; so decoder b is taught on its first."""
    (_, second), target = batch((4, 1), [False, False])
    first = torch.zeros(4, 3, 4, 1)
    first[3] = certain(1, 0, 2, 1)[0]
    second = (0.01 * second).requires_grad_()
    BidirectionalLoss(ramp_up=0)((first, second), target).backward()
    assert (second.grad.abs().flatten(1).sum(dim=1) > 0).tolist() == [False, True, False, False]


def test_what_is_written_where_there_is_no_label_does_not_count() -> None:
    heads, target = batch((4, 5), [False, True, False])
    loss = BidirectionalLoss(threshold=0.5).eval()
    before = loss(heads, target)
    target["label"][[0, 2]] = 99
    torch.testing.assert_close(loss(heads, target), before)


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("labeled", [[True, True], [False, False], [True, False]])
def test_a_batch_of_one_kind_and_nothing_trusted(views: int, labeled: list[bool]) -> None:
    """Unlabeled images with nothing trusted cost 0, with a graph; labeled ones their own loss."""
    heads, target = batch((4, 4), labeled, views=views)
    heads = (0.01 * heads[0]).requires_grad_(), (0.01 * heads[1]).requires_grad_()
    loss = BidirectionalLoss(ramp_up=0)(heads, target)
    loss.backward()
    for head in heads:
        assert head.grad.isfinite().all()
        taught = head.grad.abs().flatten(1).sum(dim=1) > 0
        assert taught.tolist() == labeled * views
    assert (loss.item() > 0.1) == any(labeled)


def test_weight_rises_with_the_steps_of_training() -> None:
    heads, target = batch((4, 5), [True, False])
    loss = BidirectionalLoss(threshold=0.5, weight=2.0, ramp_up=4)
    supervised = BidirectionalLoss(weight=0)(heads, target)
    pseudo = BidirectionalLoss(threshold=0.5, ramp_up=0)(heads, target) - supervised
    for step in range(6):
        expected = supervised + 2 * math.exp(-5 * (1 - min(step / 4, 1)) ** 2) * pseudo
        torch.testing.assert_close(loss(heads, target), expected)
    assert loss.step == 6


def test_validation_does_not_count() -> None:
    heads, target = batch((4, 5), [True, False])
    loss = BidirectionalLoss(ramp_up=10).eval()
    torch.testing.assert_close(loss(heads, target), loss(heads, target))
    assert loss.step == 0


def test_a_checkpoint_goes_on_where_it_stopped(tmp_path: Path) -> None:
    heads, target = batch((4, 5), [True, False])
    loss = BidirectionalLoss(threshold=0.5, ramp_up=10)
    for _ in range(5):
        loss(heads, target)
    torch.save(loss.state_dict(), tmp_path / "loss.pt")
    resumed = BidirectionalLoss(threshold=0.5, ramp_up=10)
    fresh = resumed(heads, target)
    resumed.load_state_dict(torch.load(tmp_path / "loss.pt", weights_only=True))
    assert resumed.step == 5
    expected = loss(heads, target)
    torch.testing.assert_close(resumed(heads, target), expected)
    assert expected > fresh


def test_half_precision_is_computed_in_float32() -> None:
    heads, target = batch((4, 5), [True, False])
    heads = heads[0].bfloat16(), heads[1].bfloat16()
    loss = BidirectionalLoss(threshold=0.5, ramp_up=0)
    expected = loss((heads[0].float(), heads[1].float()), target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(heads, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


class Decoders(nn.Module):
    """Two decoders of one voxel each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.first(x), self.second(x)


def test_in_the_trainer_of_monai_from_a_config() -> None:
    """A bright square, one labeled image of four: both decoders learn it, and the steps are counted."""
    image = 0.1 * draw(4, 1, 8, 8)
    image[:, :, 2:6, 2:6] += 2
    views = torch.cat([image, image + 0.05 * draw(4, 1, 8, 8, seed=3)])
    target = {"label": (image[:, :1] > 1).long(), "labeled": torch.tensor([True, False, False, False])}

    def prepare(*_: Any, **__: Any) -> tuple[Tensor, dict[str, Tensor]]:
        return views, target

    config = {"_target_": "s3net_monai.losses.BidirectionalLoss", "threshold": 0.8, "ramp_up": 20}
    loss = ConfigParser({"loss": config}).get_parsed_content("loss")
    torch.manual_seed(0)
    network = Decoders()
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{}] * 60,
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), lr=0.1),
        loss_function=loss,
        prepare_batch=prepare,
        decollate=False,
    )
    trainer.run()
    assert loss.step == 60
    for head in network(image):
        assert (head.argmax(dim=1, keepdim=True) == target["label"]).float().mean() > 0.98


@pytest.mark.parametrize(
    ("heads", "label", "labeled", "message"),
    [
        ((2, 3, 4, 4), (3, 1, 4, 4), 3, "do not belong together"),
        ((6, 3, 4, 4), (2, 1, 4, 4), 2, "do not belong together"),  # three views
        ((2, 3, 4, 4), (2, 3, 4, 4), 2, "do not belong together"),
        ((2, 3, 4, 4), (2, 1, 4, 5), 2, "do not belong together"),
        ((2, 3, 4, 4), (2, 1, 4, 4), 1, "do not belong together"),
        ((2, 1, 4, 4), (2, 1, 4, 4), 2, "one channel"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    heads: tuple[int, ...], label: tuple[int, ...], labeled: int, message: str
) -> None:
    target = {"label": torch.zeros(label), "labeled": torch.ones(labeled)}
    with pytest.raises(ValueError, match=message):
        BidirectionalLoss()((torch.zeros(heads), torch.zeros(heads)), target)


@pytest.mark.parametrize("settings", [{"threshold": 1.2}, {"weight": -1}, {"ramp_up": -1}, {"pseudo_dice": -0.5}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        BidirectionalLoss(**settings)
