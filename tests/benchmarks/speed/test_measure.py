"""What each item runs, with the commands themselves left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed import inputs, measure
from benchmarks.speed.environments import ROOT
from benchmarks.speed.items import BEFORE, FLOOR, ITEMS, LUNGMASK, NAMES, ORIGINAL, THIS
from benchmarks.speed.measure import MEASURES, Plan
from benchmarks.speed.measured import SCRIPTS, Build, MeasureError

_COST = {"wall_seconds": 2.0, "cpu_seconds": 3.0, "peak_gb": 0.5, "case_seconds": 1.0, "step_seconds": 1.0}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, tuple[str, ...]]]:
    """Checkout, script or task, and arguments of every command."""
    commands: list[tuple[str, str, tuple[str, ...]]] = []

    def script(build: Build, name: str, *arguments: object) -> dict[str, Any]:
        assert (SCRIPTS / name).is_file()
        commands.append((build.folder.name, name, tuple(map(str, arguments))))
        return dict(_COST)

    def segment(build: Build, images: Sequence[Path], *, task: str, options: Sequence[str] = ()) -> dict[str, Any]:
        assert all(image.exists() for image in images)
        commands.append((build.folder.name, task, tuple(options)))
        return dict(_COST)

    monkeypatch.setattr(measure, "run_script", script)
    monkeypatch.setattr(measure, "run_segment", segment)
    monkeypatch.setattr(measure, "build_before", lambda work: Build(work / "python", work / "source"))
    monkeypatch.setattr(measure, "lungmask_build", lambda work: Build(work / "python", work / "lungmask"))
    return commands


def small(work: Path) -> Plan:
    return Plan(
        work=work,
        rounds=2,
        peer_rounds=1,
        side=16,
        slices=8,
        many_slices=(8, 9),
        many_pictures=(1, 3),
        many_sides=(32, 48),
        jpeg=(48, 32),
        count=2,
        steps=1,
    )


@pytest.mark.parametrize(
    ("name", "peers"),
    [
        ("ct", {FLOOR, LUNGMASK, f"{THIS}, one process", f"{BEFORE}, one process"}),
        ("picture", {FLOOR}),
        ("jpeg", {FLOOR}),
        ("train-skin", {"MONAI's UNet", "MONAI's BasicUNet", "MONAI's SegResNet", "MONAI's DynUNet"}),
        ("train-lung", {"MONAI's UNet", "MONAI's SegResNet", "MONAI's DynUNet"}),
    ],
)
def test_both_builds_and_the_peers_run(tmp_path: Path, ran: list[Any], name: str, peers: set[str]) -> None:
    result = MEASURES[name](small(tmp_path))
    assert set(result["runs"]) == {THIS, BEFORE} | peers
    assert "failed" not in result
    assert [len(result["runs"][side]) for side in (THIS, BEFORE)] == [2, 2]
    assert {folder for folder, *_ in ran} >= {ROOT.name, "source"}
    assert result["ratios"][BEFORE][ITEMS[name].quantity]["median"] == 1.0


@pytest.mark.parametrize("name", ["pictures", "hearts", "fit"])
def test_data_sets_are_measured_by_both_builds(
    tmp_path: Path, ran: list[Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "image.png"
    image.touch()
    monkeypatch.setattr(inputs, "pictures_of_ph2", lambda work, data, count: [image] * count)
    monkeypatch.setattr(inputs, "hearts", lambda work, data, count: [image] * count)
    result = MEASURES[name](small(tmp_path))
    assert {THIS, BEFORE} <= set(result["runs"])
    assert (ORIGINAL in result["runs"]) == (name == "fit")


@pytest.mark.parametrize(
    ("name", "sizes"), [("growth-slices", [8, 9]), ("growth-pictures", [1, 3]), ("growth-pixels", [32, 48])]
)
def test_growth_is_that_of_this_build(tmp_path: Path, ran: list[Any], name: str, sizes: list[int]) -> None:
    result = MEASURES[name](small(tmp_path))
    assert [point["size"] for point in result["points"]] == sizes
    assert {folder for folder, *_ in ran} == {ROOT.name}


def test_a_size_that_fails_leaves_the_others(tmp_path: Path, ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_once(build: Build, images: Sequence[Path], **_: Any) -> dict[str, Any]:
        if "48" in images[0].name:
            raise MeasureError("out of memory")
        return dict(_COST)

    monkeypatch.setattr(measure, "run_segment", fail_once)
    result = MEASURES["growth-pixels"](small(tmp_path))
    assert [point["size"] for point in result["points"]] == [32]
    assert result["failed"] == {"48": "out of memory"}


def test_every_name_has_a_measurement() -> None:
    assert tuple(MEASURES) == NAMES
