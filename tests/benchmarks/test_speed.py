"""The speed benchmark on a tiny CT: every figure is there and belongs to the process it names; no time is asserted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.speed import forward_seconds, segment_process, speed_benchmark


def test_forward_runs_once_to_warm_up_and_then_as_often_as_asked() -> None:
    class Counting(torch.nn.Module):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape == (1, 3, 8, 8)
            assert not self.training
            self.calls += 1
            return x

    network = Counting()
    seconds = forward_seconds(network, (1, 3, 8, 8), repeats=4)
    assert network.calls == 5
    assert 0 < seconds["least"] <= seconds["median"] <= seconds["most"]


@pytest.mark.slow
def test_whole_benchmark_on_a_tiny_ct() -> None:
    result = speed_benchmark(ct_shape=(48, 48, 10))
    ct = result["ct"]
    assert ct["shape"] == [48, 48, 10]
    assert 0 < ct["phases"]["total"] < ct["wall_seconds"]
    assert 0.05 < ct["peak_gb"] < 16  # a process that has torch in memory
    assert result["forward_256"]["median"] > 0


@pytest.mark.slow
def test_a_failing_command_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 2"):
        segment_process(tmp_path / "missing.nii.gz", task="lung", formats="nifti", output=tmp_path / "out")
