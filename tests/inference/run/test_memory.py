"""Out of memory: smaller windows, then a refusal with advice. A network stands for the device's limit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.inferers import SimpleInferer, SlidingWindowInferer

from s3net_monai.engines import FlipTTAInferer
from s3net_monai.inference.run.memory import is_out_of_memory, with_smaller_windows
from s3net_monai.io import CaseError

CPU = torch.device("cpu")


class Limited(torch.nn.Module):
    """A network that doubles its input and runs out of memory above ``limit`` voxels."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.sizes.append(tuple(image.shape[2:]))
        if image[0, 0].numel() > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return 2 * image


def windows() -> FlipTTAInferer:
    base = SlidingWindowInferer(roi_size=(-1, -1, 8), sw_batch_size=2, overlap=0.5, mode="gaussian")
    return FlipTTAInferer(flips=[[], [0]], quarter_turns=[0, 1], base=base)


def run(network: torch.nn.Module, image: torch.Tensor, inferer: Any) -> tuple[torch.Tensor, str | None]:
    return with_smaller_windows(
        lambda candidate: candidate(image, network), inferer, spatial_shape=tuple(image.shape[2:]), device=CPU
    )


def test_enough_memory_changes_nothing() -> None:
    network, image = Limited(10**9), torch.rand(1, 1, 80, 72, 9)
    result, warning = run(network, image, windows())
    assert warning is None
    torch.testing.assert_close(result, 2 * image)


@pytest.mark.parametrize(("limit", "window"), [(40 * 40 * 8, "40x36x8"), (32 * 32 * 8, "32x32x8")])
def test_windows_shrink_until_they_fit(limit: int, window: str) -> None:
    network, image = Limited(limit), torch.rand(1, 1, 80, 72, 9)
    result, warning = run(network, image, windows())
    assert warning is not None
    assert window in warning
    torch.testing.assert_close(result, 2 * image)
    assert network.sizes[-1] == tuple(int(size) for size in window.split("x"))


def test_the_inferer_of_the_bundle_is_not_changed() -> None:
    inferer = windows()
    run(Limited(40 * 40 * 8), torch.rand(1, 1, 80, 72, 9), inferer)
    assert inferer.base.roi_size == (-1, -1, 8)  # type: ignore[attr-defined]
    assert inferer.base.sw_batch_size == 2  # type: ignore[attr-defined]


def test_a_case_too_large_for_any_window_is_refused() -> None:
    with pytest.raises(CaseError, match=r"not enough memory on cpu, in smaller windows too; .*--device cpu"):
        run(Limited(100), torch.rand(1, 1, 80, 72, 9), windows())


def test_an_inferer_without_windows_is_refused_at_once() -> None:
    network = Limited(100)
    with pytest.raises(CaseError, match="not enough memory on cpu; close"):
        run(network, torch.rand(1, 1, 80, 72), SimpleInferer())
    assert len(network.sizes) == 1


def test_other_errors_pass() -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        with_smaller_windows(fail, windows(), spatial_shape=(8, 8, 8), device=CPU)


def test_what_counts_as_out_of_memory() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, dtype=torch.uint8)  # what torch's own allocator says on a CPU
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("not enough memory"))
