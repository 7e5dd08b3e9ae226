"""Attention masks: the class that was meant, and every class about as often."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, ConcatItemsd

from s3net_monai.transforms.attention_mask import AttentionMaskd

LABELS = torch.tensor([[[0, 1, 1], [3, 3, 0]]])


def test_one_class_is_always_taken() -> None:
    sample = AttentionMaskd("label", classes=[3])({"label": LABELS})
    assert torch.equal(sample["attention"], torch.tensor([[[0.0, 0, 0], [1, 1, 0]]]))
    assert sample["attention_class"] == 3
    absent = AttentionMaskd("label", classes=[2])({"label": LABELS})
    assert absent["attention_class"] == 2
    assert not absent["attention"].any()


def test_present_classes_are_drawn_equally_often_and_repeatably() -> None:
    transform = AttentionMaskd("label", classes=[1, 2, 3]).set_random_state(0)
    drawn = [transform({"label": LABELS})["attention_class"] for _ in range(400)]  # type: ignore[operator]
    count = Counter(drawn)
    assert set(count) == {1, 3}
    assert abs(count[1] - 200) < 40
    transform.set_random_state(0)
    assert [transform({"label": LABELS})["attention_class"] for _ in range(400)] == drawn  # type: ignore[operator]


def test_an_empty_map_gives_an_empty_mask_of_any_class() -> None:
    transform = AttentionMaskd("label", classes=[1, 2]).set_random_state(0)
    samples = [transform({"label": torch.zeros(1, 2, 2, 2)}) for _ in range(30)]  # type: ignore[operator]
    assert {sample["attention_class"] for sample in samples} == {1, 2}
    assert not any(sample["attention"].any() for sample in samples)


def test_beside_the_image_in_a_chain() -> None:
    chain = Compose(
        [AttentionMaskd("coarse", classes=[1], attention_key="a"), ConcatItemsd(["image", "a"], name="image")]
    )
    sample = chain({"image": MetaTensor(torch.rand(3, 2, 3)), "coarse": MetaTensor(LABELS.float())})
    assert sample["image"].shape == (4, 2, 3)
    assert torch.equal(torch.as_tensor(sample["image"][3]), (LABELS[0] == 1).float())


@pytest.mark.parametrize("classes", [[], [0, 1], [-1]])
def test_classes_that_are_none(classes: list[int]) -> None:
    with pytest.raises(ValueError, match="expected one or several above 0"):
        AttentionMaskd("label", classes=classes)
