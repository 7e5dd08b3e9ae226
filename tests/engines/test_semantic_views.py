"""Tests of images with the mask of one object: its class, its position, and the ablation."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from s3net_monai.engines.semantic_views import AttendedObject, SemanticViews, balanced_classes
from s3net_monai.engines.two_views import TwoViews

EXACT: dict[str, Any] = {"shift": 0.0, "scale": 0.0, "radius": 0, "elastic": 0.0}
SIZES = [(40, 32), (20, 24, 12)]


def still(**ranges: float) -> TwoViews:
    zero = dict.fromkeys(("rotate", "scale", "shear", "translate", "flip", "gain", "bias", "noise"), 0.0)
    return TwoViews(**{**zero, **ranges})


def stripes(size: tuple[int, ...], count: int = 6) -> dict[str, Tensor]:
    """Return maps of the classes 0, 1, 2, 3 in broad bands; the image is the class / 3."""
    labels = F.interpolate(torch.arange(4.0).reshape(1, 1, 4, *[1] * (len(size) - 1)), size=size, mode="nearest")
    labels = labels.repeat(count, *[1] * (len(size) + 1))
    return {"image": labels / 3, "label": labels.to(torch.uint8)}


def map_of(*classes: int) -> Tensor:
    labels = torch.zeros(1, 1, 4, 4)
    for index, value in enumerate(classes):
        labels.view(-1)[index] = value
    return labels


@pytest.mark.parametrize("size", SIZES)
def test_mask_is_of_the_class_and_lies_on_it(size: tuple[int, ...]) -> None:
    batch = stripes(size)
    torch.manual_seed(0)
    views, classes = SemanticViews([1, 2, 3], still(rotate=20.0, scale=0.1, flip=0.5), EXACT)(batch)
    assert views.shape == (12, 2, *size)
    assert classes.shape == (12,)
    assert classes.dtype == torch.int64
    assert torch.equal(classes[:6], classes[6:])
    assert Counter(classes.tolist()) == {1: 4, 2: 4, 3: 4}
    image, mask = views[:, 0] * 3, views[:, 1]
    assert set(mask.unique().tolist()) == {0, 1}
    expected = classes.view(-1, *[1] * len(size))
    overlap = (image.round() == expected).float() * mask
    assert (overlap.flatten(1).sum(1) / mask.flatten(1).sum(1)).min() > 0.95
    assert not torch.equal(views[:6], views[6:])  # both views are transformed


def test_the_untransformed_mask_by_hand() -> None:
    views, classes = SemanticViews([2], still(), EXACT)(stripes((8, 6), count=1))
    expected = torch.zeros(8, 6)
    expected[4:6] = 1
    assert classes.tolist() == [2, 2]
    for view in views:
        assert torch.equal(view[1], expected)
        torch.testing.assert_close(view[0], stripes((8, 6))["image"][0, 0], atol=1e-5, rtol=0)


def test_each_view_jitters_its_mask() -> None:
    views, _ = SemanticViews([2], still(), {"shift": 0.1})(stripes((64, 64), count=4))
    masks = views[:, 1]
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 8
    torch.testing.assert_close(views[:4, 0], views[4:, 0])


def test_mask_only_hides_the_image_and_keeps_the_shape() -> None:
    torch.manual_seed(0)
    views, classes = SemanticViews([1, 2, 3], mask_only=True)(stripes((40, 32)))
    torch.manual_seed(0)
    visible, expected_classes = SemanticViews([1, 2, 3])(stripes((40, 32)))
    assert not views[:, :1].any()
    assert torch.equal(views[:, 1:], visible[:, 1:])
    assert torch.equal(classes, expected_classes)


def test_classes_are_balanced_where_there_is_a_choice() -> None:
    labels = torch.cat([map_of(1), map_of(1, 2), map_of(1, 2, 3), map_of(1, 3), map_of(), map_of(5)])
    for seed in range(20):
        torch.manual_seed(seed)
        chosen = balanced_classes(labels, [1, 2, 3]).tolist()
        assert chosen[0] == 1
        assert chosen[4:] == [0, 0]
        assert sorted(chosen[1:4])[-1] == 3  # the rarest class is chosen
        assert Counter(chosen[:4]).most_common(1)[0][1] <= 2
        assert all(value == 0 or (label == value).any() for label, value in zip(labels, chosen, strict=True))


def test_equal_counts_are_decided_at_random() -> None:
    labels = map_of(1, 2, 3)
    torch.manual_seed(0)
    count = Counter(int(balanced_classes(labels, [1, 2, 3])) for _ in range(300))
    assert all(abs(count[value] - 100) < 35 for value in (1, 2, 3))


def test_images_without_an_object_are_dropped() -> None:
    batch = stripes((40, 32), count=4)
    batch["label"][1] = 0
    views, classes = SemanticViews([1, 2, 3], still(), EXACT)(batch)
    assert len(views) == len(classes) == 6
    assert torch.equal(classes[:3], classes[3:])


def test_objects_outside_a_view_are_dropped() -> None:
    batch = stripes((32, 32), count=64)
    batch["label"][:] = 0
    batch["label"][..., :4, :] = 1  # at the border
    torch.manual_seed(0)
    views, classes = SemanticViews([1], still(translate=0.4), EXACT)(batch)
    assert 8 < len(classes) < 128
    assert views[:, 1].flatten(1).any(dim=1).all()


def test_a_batch_without_any_object_is_refused() -> None:
    batch = stripes((8, 8))
    batch["label"][:] = 0
    with pytest.raises(ValueError, match=r"no image of this batch shows one of the classes \[1, 2\] under 'label'"):
        SemanticViews([1, 2])(batch)
    with pytest.raises(ValueError, match="above 0"):
        SemanticViews([0])


def test_random_numbers_are_torchs_or_the_seeds() -> None:
    batch = stripes((32, 32))

    def view(views: SemanticViews, seed: int) -> Tensor:
        torch.manual_seed(seed)
        return views(batch)[0]

    assert torch.equal(view(SemanticViews([1, 2]), 1), view(SemanticViews([1, 2]), 1))
    assert not torch.equal(view(SemanticViews([1, 2]), 1), view(SemanticViews([1, 2]), 2))
    seeded = SemanticViews([1, 2], TwoViews(seed=3))
    assert torch.equal(view(seeded, 1), view(seeded, 2))


def test_attended_object_has_separate_mask_and_target_maps() -> None:
    batch = stripes((8, 8), count=3)
    batch["coarse"] = torch.zeros(3, 1, 8, 8)
    batch["coarse"][..., 3:7, :] = 2
    inputs, target = AttendedObject([1, 2], EXACT, mask_key="coarse")(batch)
    assert inputs.shape == (3, 2, 8, 8)
    assert torch.equal(inputs[:, :1], batch["image"])
    assert torch.equal(inputs[:, 1:], (batch["coarse"] == 2).float())
    assert target.dtype == torch.int64
    assert torch.equal(target, (batch["label"] == 2).long())


def test_attended_object_on_images_without_an_object() -> None:
    batch = stripes((8, 8), count=40)
    batch["coarse"] = torch.zeros(40, 1, 8, 8)
    torch.manual_seed(0)
    inputs, target = AttendedObject([1, 2], mask_key="coarse", mask_only=True)(batch)
    assert not inputs.any()
    rows = target[:, 0, :, 0].float()
    assert {tuple(row.tolist()) for row in rows} == {(0, 0, 1, 1, 0, 0, 0, 0), (0, 0, 0, 0, 1, 1, 0, 0)}
