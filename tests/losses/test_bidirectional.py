"""Bidirectional consistency: a loop over voxels, gradients, and MONAI's trainer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.engines import SupervisedTrainer
from monai.losses import DiceCELoss
from torch import Tensor, nn

from s3net_monai.engines import RampUpHandler
from s3net_monai.losses import BidirectionalLoss
from tests.helpers.tensors import draw


def make_batch(
    size: tuple[int, ...], labeled: list[bool], *, classes: int = 3, views: int = 2
) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    count = len(labeled)
    heads = (draw(views * count, classes, *size), draw(views * count, classes, *size, seed=1))
    label = torch.randint(0, classes, (count, 1, *size), generator=torch.Generator().manual_seed(2))
    return heads, {"label": label, "labeled": torch.tensor(labeled)}


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def loop_dice(probabilities: np.ndarray, label: np.ndarray, counted: np.ndarray) -> float:
    """1 - Dice of every class over the counted voxels (N, K), averaged over the classes."""
    dice = []
    for k in range(probabilities.shape[1]):
        intersection = sum(probabilities[v, k] for v in range(len(label)) if counted[v] and label[v] == k)
        size = sum(probabilities[v, k] + (label[v] == k) for v in range(len(label)) if counted[v])
        dice.append((2 * intersection + 1e-5) / (size + 1e-5))
    return 1 - float(np.mean(dice))


def voxel_probabilities(logits: Tensor) -> np.ndarray:
    """Class probabilities of every voxel, (voxels, K)."""
    rows = logits.double().movedim(1, -1).flatten(0, -2).numpy()
    return np.stack([softmax(row) for row in rows])


def loop_supervised(logits: Tensor, label: Tensor) -> float:
    probabilities, classes = voxel_probabilities(logits), label.flatten().numpy()
    entropy = -np.mean([math.log(probabilities[v, classes[v]]) for v in range(len(classes))])
    return float(entropy) + loop_dice(probabilities, classes, np.ones(len(classes), dtype=bool))


def loop_pseudo_label(logits: Tensor, teacher: Tensor, *, threshold: float, dice_weight: float) -> float:
    probabilities, teacher_probabilities = voxel_probabilities(logits), voxel_probabilities(teacher)
    pseudo_label, confident = teacher_probabilities.argmax(axis=1), teacher_probabilities.max(axis=1) >= threshold
    count = len(pseudo_label)
    entropy = -sum(math.log(probabilities[v, pseudo_label[v]]) for v in range(count) if confident[v]) / count
    return entropy + dice_weight * loop_dice(probabilities, pseudo_label, confident)


@pytest.mark.parametrize("size", [(4, 5), (3, 2, 4)])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("threshold", [0.0, 0.7, 0.9])
@pytest.mark.parametrize("dice_weight", [0.0, 0.5])
@pytest.mark.parametrize("views", [1, 2])
def test_equals_the_loop(size: tuple[int, ...], classes: int, threshold: float, dice_weight: float, views: int) -> None:
    (first, second), target = make_batch(size, [True, False, False], classes=classes, views=views)
    loss = BidirectionalLoss(threshold, weight=0.7, dice_weight=dice_weight)
    labeled, unlabeled = [0, 3][:views], [1, 2, 4, 5][: 2 * views]
    partner = {1: [1, 2], 2: [4, 5, 1, 2]}[views]  # the other perturbation of the same images
    label = target["label"][:1].repeat(views, *[1] * (len(size) + 1))
    supervised = (loop_supervised(first[labeled], label) + loop_supervised(second[labeled], label)) / 2
    settings = {"threshold": threshold, "dice_weight": dice_weight}
    pseudo_label = loop_pseudo_label(first[unlabeled], second[partner], **settings)
    pseudo_label += loop_pseudo_label(second[partner], first[unlabeled], **settings)
    expected = supervised + 0.7 * pseudo_label / 2
    assert loss((first, second), target).item() == pytest.approx(expected, rel=1e-4)


def test_labeled_images_alone_are_the_loss_of_monai() -> None:
    (first, second), target = make_batch((5, 4), [True, True], views=1)
    dice_ce = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
    expected = (dice_ce(first, target["label"]) + dice_ce(second, target["label"])) / 2
    torch.testing.assert_close(BidirectionalLoss()((first, second), target), expected)


def certain(*classes: int) -> Tensor:
    """Logits (1, 3, voxels, 1) that are certain of a class, or undecided where it is -1."""
    logits = torch.zeros(1, 3, len(classes), 1)
    for voxel, k in enumerate(classes):
        if k >= 0:
            logits[0, k, voxel] = 20
    return logits


def test_cross_entropy_on_confident_voxels_by_hand() -> None:
    """An undecided student and a teacher certain of two voxels of four cost 2/4 log 3, an undecided teacher 0."""
    loss = BidirectionalLoss(dice_weight=0)
    undecided = certain(-1, -1, -1, -1)
    student_loss = loss.pseudo_label_loss(undecided, certain(1, -1, 2, -1))
    assert student_loss.item() == pytest.approx(math.log(3) / 2, rel=1e-5)
    assert loss.pseudo_label_loss(certain(1, 0, 2, 0), undecided).item() == 0
    with_dice = BidirectionalLoss().pseudo_label_loss(certain(1, 0, 2, 0), undecided)
    assert with_dice.item() == pytest.approx(0, abs=1e-5)


def test_agreement_costs_nothing_and_contradiction_much() -> None:
    loss, first = BidirectionalLoss(), certain(0, 1, 2, 1)
    assert loss.pseudo_label_loss(first, first).item() == pytest.approx(0, abs=1e-4)
    assert loss.pseudo_label_loss(first, certain(1, 0, 1, 2)).item() > 10


@pytest.mark.parametrize("dice_weight", [0.0, 1.0])
def test_gradient_reaches_confident_voxels_of_the_student(dice_weight: float) -> None:
    student, teacher = draw(1, 3, 4, 1).requires_grad_(), certain(1, -1, 2, -1).requires_grad_()
    BidirectionalLoss(dice_weight=dice_weight).pseudo_label_loss(student, teacher).backward()
    assert teacher.grad is None
    assert (student.grad.abs().sum(dim=1).flatten() > 0).tolist() == [True, False, True, False]


def test_a_certain_decoder_supervises_an_uncertain_one() -> None:
    confident, unsure = certain(1, 0, 2, 1).requires_grad_(), (0.1 * draw(1, 3, 4, 1)).requires_grad_()
    target = {"label": torch.zeros(1, 1, 4, 1), "labeled": torch.tensor([False])}
    BidirectionalLoss()((confident, unsure), target).backward()
    assert unsure.grad.abs().sum() > 0
    assert confident.grad.abs().sum() == 0


def test_perturbations_of_one_image_supervise_each_other() -> None:
    """Decoder a is certain of the second image under perturbation 2, so b gets a gradient under perturbation 1."""
    (_, second), target = make_batch((4, 1), [False, False])
    first = torch.zeros(4, 3, 4, 1)
    first[3] = certain(1, 0, 2, 1)[0]
    second = (0.01 * second).requires_grad_()
    BidirectionalLoss()((first, second), target).backward()
    assert (second.grad.abs().flatten(1).sum(dim=1) > 0).tolist() == [False, True, False, False]


def test_label_values_of_unlabeled_images_do_not_count() -> None:
    heads, target = make_batch((4, 5), [False, True, False])
    loss = BidirectionalLoss(threshold=0.5).eval()
    before = loss(heads, target)
    target["label"][[0, 2]] = 99
    torch.testing.assert_close(loss(heads, target), before)


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("labeled", [[True, True], [False, False], [True, False]])
def test_unlabeled_images_without_confident_voxels(views: int, labeled: list[bool]) -> None:
    """They cost 0, with a graph; labeled images have their own loss."""
    heads, target = make_batch((4, 4), labeled, views=views)
    heads = (0.01 * heads[0]).requires_grad_(), (0.01 * heads[1]).requires_grad_()
    loss = BidirectionalLoss()(heads, target)
    loss.backward()
    for head in heads:
        assert head.grad.isfinite().all()
        has_gradient = head.grad.abs().flatten(1).sum(dim=1) > 0
        assert has_gradient.tolist() == labeled * views
    assert (loss.item() > 0.1) == any(labeled)


def test_ramp_up_scales_the_unlabeled_part() -> None:
    heads, target = make_batch((4, 5), [True, False])
    loss = BidirectionalLoss(threshold=0.5, weight=2.0)
    supervised = BidirectionalLoss(weight=0)(heads, target)
    unlabeled = BidirectionalLoss(threshold=0.5)(heads, target) - supervised
    for step in range(6):
        loss.ramp_up_weight = math.exp(-5 * (1 - min(step / 4, 1)) ** 2)
        torch.testing.assert_close(loss(heads, target), supervised + 2 * loss.ramp_up_weight * unlabeled)


def test_half_precision_is_computed_in_float32() -> None:
    heads, target = make_batch((4, 5), [True, False])
    heads = heads[0].bfloat16(), heads[1].bfloat16()
    loss = BidirectionalLoss(threshold=0.5)
    expected = loss((heads[0].float(), heads[1].float()), target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(heads, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected)


class Decoders(nn.Module):
    """Two decoders of one voxel each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.first(x), self.second(x)


def test_in_the_trainer_of_monai_from_a_config() -> None:
    """A bright square, one labeled image of four: both decoders learn it."""
    image = 0.1 * draw(4, 1, 8, 8)
    image[:, :, 2:6, 2:6] += 2
    views = torch.cat([image, image + 0.05 * draw(4, 1, 8, 8, seed=3)])
    target = {"label": (image[:, :1] > 1).long(), "labeled": torch.tensor([True, False, False, False])}

    def prepare(*_: Any, **__: Any) -> tuple[Tensor, dict[str, Tensor]]:
        return views, target

    config = {"_target_": "s3net_monai.losses.BidirectionalLoss", "threshold": 0.8}
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
    RampUpHandler(loss, iterations=20).attach(trainer)
    trainer.run()
    assert loss.ramp_up_weight == 1
    for head in network(image):
        assert (head.argmax(dim=1, keepdim=True) == target["label"]).float().mean() > 0.98


@pytest.mark.parametrize(
    ("heads", "label", "labeled", "message"),
    [
        ((2, 3, 4, 4), (3, 1, 4, 4), 3, "do not match"),
        ((6, 3, 4, 4), (2, 1, 4, 4), 2, "do not match"),  # three views
        ((2, 3, 4, 4), (2, 3, 4, 4), 2, "do not match"),
        ((2, 3, 4, 4), (2, 1, 4, 5), 2, "do not match"),
        ((2, 3, 4, 4), (2, 1, 4, 4), 1, "do not match"),
        ((2, 1, 4, 4), (2, 1, 4, 4), 2, "one channel"),
    ],
)
def test_shapes_that_do_not_match_are_refused(
    heads: tuple[int, ...], label: tuple[int, ...], labeled: int, message: str
) -> None:
    target = {"label": torch.zeros(label), "labeled": torch.ones(labeled)}
    with pytest.raises(ValueError, match=message):
        BidirectionalLoss()((torch.zeros(heads), torch.zeros(heads)), target)


@pytest.mark.parametrize("settings", [{"threshold": 1.2}, {"weight": -1}, {"dice_weight": -0.5}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        BidirectionalLoss(**settings)
