"""Coarse masks to classes: combined predictions per object, and absent objects."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from s3net_monai.networks import CoarseToFine, DualDecoderUNet
from s3net_monai.networks.coarse_to_fine import ABSENT_LOG_ODDS
from tests.helpers.feature_encoders import ENCODERS, conv_unet


class Rounded(nn.Module):
    """A coarse network whose class of a voxel is the value of the image."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([-(x[:, :1] - value).abs() for value in range(self.classes)], dim=1)


class Agreeing(nn.Module):
    """An attended network with a background logit of 1, an object logit of 4 in the mask and ``outside`` elsewhere."""

    def __init__(self, outside: float = -2.0) -> None:
        super().__init__()
        self.outside = outside
        self.inputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.inputs.append(x)
        mask = x[:, -1:]
        return torch.cat([torch.ones_like(mask), 4 * mask + self.outside * (1 - mask)], dim=1)


def small(spatial_dims: int, in_channels: int = 1, classes: int = 4) -> CoarseToFine:
    torch.manual_seed(0)
    coarse = conv_unet(spatial_dims, in_channels=in_channels, out_channels=classes)
    attended = conv_unet(spatial_dims, in_channels=in_channels + 1, out_channels=2)
    return CoarseToFine(coarse, attended, [1, 2, 3])


def test_logits_by_hand() -> None:
    image = torch.tensor([0.0, 1.0, 2.0, 2.0]).view(1, 1, 2, 2)
    logits = CoarseToFine(Rounded(4), Agreeing(), [1, 2, 3])(image)
    expected = torch.tensor([[0.0] * 4, [-3, 3, -3, -3], [-3, -3, 3, 3], [ABSENT_LOG_ODDS] * 4]).view(1, 4, 2, 2)
    assert torch.equal(logits, expected)
    assert torch.equal(logits.argmax(dim=1)[0], image[0, 0].long())


def test_masks_follow_the_image_in_the_order_of_classes() -> None:
    image = torch.tensor([3.0, 1.0, 2.0, 0.0]).view(1, 1, 2, 2)
    attended = Agreeing()
    CoarseToFine(Rounded(4), attended, [3, 1])(image)
    assert [torch.equal(x[:, :1], image) for x in attended.inputs] == [True, True]
    assert [x[0, 1].flatten().tolist() for x in attended.inputs] == [[1, 0, 0, 0], [0, 1, 0, 0]]


def test_a_voxel_of_two_objects_goes_to_the_higher_odds() -> None:
    class MaskSize(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logit = x[:, 1:].sum(dim=(2, 3), keepdim=True)
            return torch.cat([torch.zeros_like(x[:, :1]), logit.expand_as(x[:, :1])], dim=1)

    image = torch.tensor([1.0, 2.0, 2.0, 0.0]).view(1, 1, 2, 2)
    assert set(CoarseToFine(Rounded(3), MaskSize(), [1, 2])(image).argmax(dim=1).flatten().tolist()) == {2}


def test_an_empty_coarse_mask_keeps_the_object_absent() -> None:
    image = torch.zeros(2, 1, 3, 3)
    image[1, 0, 0] = 1
    logits = CoarseToFine(Rounded(3), Agreeing(outside=9.0), [1, 2])(image)  # predicts objects everywhere
    assert not logits[0].argmax(dim=0).any()
    assert torch.equal(logits[0, 1:], torch.full((2, 3, 3), ABSENT_LOG_ODDS))
    assert torch.equal(logits[1].argmax(dim=0), torch.ones(3, 3, dtype=torch.int64))
    assert torch.equal(logits[1, 2], torch.full((3, 3), ABSENT_LOG_ODDS))


def test_classes_that_are_not_attended_are_absent() -> None:
    image = torch.tensor([0.0, 1.0, 2.0, 3.0]).view(1, 1, 2, 2)
    logits = CoarseToFine(Rounded(4), Agreeing(), [2], num_classes=4)(image)
    assert logits.shape == (1, 4, 2, 2)
    assert logits.argmax(dim=1).flatten().tolist() == [0, 0, 2, 0]


def test_mask_only_hides_the_image() -> None:
    attended = Agreeing()
    CoarseToFine(Rounded(3), attended, [1, 2], mask_only=True)(torch.full((1, 1, 2, 2), 2.0))
    assert [x[:, 0].any().item() for x in attended.inputs] == [False, False]
    assert attended.inputs[1][:, 1].all()


@pytest.mark.parametrize("size", [(16, 8), (7, 9), (1, 1), (8, 4, 5)])
def test_any_size_and_channels(size: tuple[int, ...]) -> None:
    network = small(len(size), in_channels=2).eval()
    assert network(torch.randn(3, 2, *size)).shape == (3, 4, *size)


def test_the_coarse_network_is_frozen() -> None:
    network = small(2)
    network.attended.decoder.head.weight.data.normal_()
    before = {name: value.clone() for name, value in network.coarse.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.train()
    assert network.attended.training
    assert not network.coarse.training
    image = torch.randn(4, 1, 16, 16)
    for _ in range(2):
        optimizer.zero_grad()
        network(image)[:, 1:].clamp_min(-5).sum().backward()
        optimizer.step()
    assert all(parameter.grad is None for parameter in network.coarse.parameters())
    assert any(parameter.grad.any() for parameter in network.attended.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.coarse.state_dict().items())


def test_the_coarse_network_may_have_two_decoders() -> None:
    coarse = DualDecoderUNet(ENCODERS["conv"](2, 1), spatial_dims=2, in_channels=1, out_channels=3)
    network = CoarseToFine(coarse, Agreeing(), [1, 2])
    assert network.train()(torch.randn(2, 1, 9, 8)).shape == (2, 3, 9, 8)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_torchscript_equals_eager(spatial_dims: int) -> None:
    network = small(spatial_dims).eval()
    scripted = torch.jit.script(network)
    for size in ([16, 12, 8], [9, 20, 8]):
        image = torch.randn(2, 1, *size[:spatial_dims])
        torch.testing.assert_close(scripted(image), network(image))


@pytest.mark.parametrize(("classes", "channels"), [([], None), ([0, 1], None), ([1, 4], 4)])
def test_impossible_classes_are_refused(classes: list[int], channels: int | None) -> None:
    with pytest.raises(ValueError, match="expected one or more from 1 to"):
        CoarseToFine(Rounded(3), Agreeing(), classes, num_classes=channels)
