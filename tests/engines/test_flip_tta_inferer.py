"""Tests of test-time augmentation by flips and quarter turns: its views and their mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.bundle import ConfigParser
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from s3net_monai.engines import FlipTTAInferer

# all flips and quarter turns of the plane
GROUP: list[Callable[[Tensor], Tensor]] = [
    *[lambda x, k=k: torch.rot90(x, k, (2, 3)) for k in range(4)],
    *[lambda x, k=k: torch.rot90(x, k, (2, 3)).flip(3) for k in range(4)],
]


def network(dims: int, seed: int = 0) -> nn.Module:
    """Return a network without any symmetry of its own."""
    torch.manual_seed(seed)
    convolution = nn.Conv3d if dims == 3 else nn.Conv2d
    return nn.Sequential(convolution(2, 4, 3, padding=1), nn.Tanh(), convolution(4, 3, 3, padding=1), nn.Softmax(dim=1))


@pytest.fixture(params=[(9, 9), (8, 8, 5)])
def image(request: pytest.FixtureRequest) -> Tensor:
    torch.manual_seed(1)
    return torch.rand(2, 2, *request.param)


@torch.no_grad()
def test_mean_is_equivariant_on_square_images(image: Tensor) -> None:
    net, inferer = network(image.dim() - 2), FlipTTAInferer()
    mean = inferer(image, net)
    for transform in GROUP:
        torch.testing.assert_close(inferer(transform(image), net), transform(mean), rtol=0, atol=1e-6)
        assert torch.equal(transform(image), image) or not torch.allclose(
            net(transform(image)), transform(net(image)), atol=1e-3
        )


@torch.no_grad()
def test_views_are_mapped_back_the_untransformed_one_first(image: Tensor) -> None:
    net = network(image.dim() - 2)
    views = list(FlipTTAInferer().views(image, net))
    assert len(views) == 8
    assert torch.equal(views[0], net(image))
    pointwise = nn.Softmax(dim=1)  # equivariant to every transform, so all views are equal
    for view in FlipTTAInferer().views(image, pointwise):
        torch.testing.assert_close(view, pointwise(image))
    expected = {tuple(transform(image).flatten().tolist()) for transform in GROUP}
    copies: list[Tensor] = []
    list(FlipTTAInferer().views(image, lambda x: copies.append(x) or x))
    assert {tuple(x.flatten().tolist()) for x in copies} == expected


@torch.no_grad()
def test_call_is_the_mean_of_the_views(image: Tensor) -> None:
    net, inferer = network(image.dim() - 2), FlipTTAInferer()
    original = image.clone()
    mean = inferer(image, net)
    torch.testing.assert_close(mean, torch.stack(list(inferer.views(image, net))).mean(dim=0))
    torch.testing.assert_close(mean.sum(dim=1), torch.ones_like(mean[:, 0]))
    assert torch.equal(image, original)


@torch.no_grad()
@pytest.mark.parametrize("size", [(6, 9), (6, 9, 4)])
def test_images_need_not_be_square(size: tuple[int, ...]) -> None:
    net, image = network(len(size)), torch.rand(1, 2, *size)
    inferer = FlipTTAInferer()
    mean = inferer(image, net)
    assert mean.shape == (1, 3, *size)
    torch.testing.assert_close(inferer(image.flip(2), net), mean.flip(2), rtol=0, atol=1e-6)
    rotated = torch.rot90(image, 1, (2, 3))
    torch.testing.assert_close(inferer(rotated, net), torch.rot90(mean, 1, (2, 3)), rtol=0, atol=1e-6)


@torch.no_grad()
def test_flips_of_a_volume_include_the_third_axis() -> None:
    net, image = network(3), torch.rand(1, 2, 5, 6, 7)
    inferer = FlipTTAInferer(flips=[[], [0], [2], [0, 2]], quarter_turns=[0])
    assert len(list(inferer.views(image, net))) == 4
    mean = inferer(image, net)
    torch.testing.assert_close(inferer(image.flip(4), net), mean.flip(4), rtol=0, atol=1e-6)
    torch.testing.assert_close(inferer(image.flip(2), net), mean.flip(2), rtol=0, atol=1e-6)
    assert not torch.allclose(inferer(image.flip(3), net), mean.flip(3), atol=1e-3)


@torch.no_grad()
def test_mean_does_not_change_the_output_of_the_network() -> None:
    output = torch.rand(1, 2, 4, 4)
    original = output.clone()
    FlipTTAInferer()(torch.zeros(1, 1, 4, 4), lambda x: output)
    assert torch.equal(output, original)


@torch.no_grad()
def test_base_runs_every_copy_and_arguments_are_passed_on() -> None:
    net, image = network(2), torch.rand(1, 2, 12, 10)
    windows = SlidingWindowInferer(roi_size=(8, 8), overlap=0.5)
    inferer = FlipTTAInferer(base=windows, quarter_turns=[0])
    expected = (windows(image, net) + windows(image.flip(2), net).flip(2)) / 2
    torch.testing.assert_close(inferer(image, net), expected)
    scaled = FlipTTAInferer(quarter_turns=[0])(image, lambda x, factor, plus: factor * x + plus, 2, plus=1)
    torch.testing.assert_close(scaled, 2 * image + 1)


def test_from_a_config() -> None:
    base = {"_target_": "SlidingWindowInferer", "roi_size": [8, 8]}
    config = {
        "_target_": "s3net_monai.engines.FlipTTAInferer",
        "flips": [[], [1]],
        "quarter_turns": [0, 2],
        "base": base,
    }
    inferer = ConfigParser({"inferer": config}).get_parsed_content("inferer")
    assert isinstance(inferer.base, SlidingWindowInferer)
    image = torch.rand(1, 2, 8, 8)
    copies: list[Tensor] = []
    torch.testing.assert_close(inferer(image, lambda x: copies.append(x) or x), image)
    expected = [image, image.flip(3), image.flip(2, 3), image.flip(2)]
    assert all(torch.equal(a, b) for a, b in zip(copies, expected, strict=True))
