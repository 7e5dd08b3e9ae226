"""The measurement of each item of ``items.py``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed import inputs
from benchmarks.speed.alternate import Side, alternate
from benchmarks.speed.environments import build_before, lungmask_build, this_build
from benchmarks.speed.items import BEFORE, FLOOR, LUNGMASK, ORIGINAL, THIS
from benchmarks.speed.measured import Build, MeasureError, run_script, run_segment
from s3net_monai.inference import bundle_root
from s3net_monai.tasks import get_task
from s3net_monai.utils.printing import print_note

_FITS = 2  # timed, in each process
_DISTINCT = 100  # pictures; a larger folder repeats them
_CT_FORMATS = ("--formats", "nifti,dicomseg")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes and numbers of runs; the defaults are those of the committed numbers.

    Attributes:
        work: folder for environments and inputs.
        data: folder that holds skin/ and cardiac/; phantoms of the same size stand in without it.
        rounds: number of pairs of this build and the one before.
        peer_rounds: of the peers that take minutes.
        side: columns and rows of the CT.
        slices: of the CT.
        many_slices, many_pictures, many_sides: what the growth is measured at.
        jpeg: width and height of the large picture.
        count: number of pictures.
        steps: timed training steps.
    """

    work: Path
    data: Path | None = None
    rounds: int = 3
    peer_rounds: int = 1
    side: int = inputs.CT_SIZE
    slices: int = 300
    many_slices: tuple[int, ...] = (50, 300, 1500)
    many_pictures: tuple[int, ...] = (1, 20, 200, 2000)
    many_sides: tuple[int, ...] = (256, 512, 1024, 2048, 4096, 8000)
    jpeg: tuple[int, int] = (6000, 4000)
    count: int = 60
    steps: int = 5


def _ct(plan: Plan) -> dict[str, Any]:
    series = inputs.ct_series(plan.work, plan.slices, plan.side)

    def lungmask() -> dict[str, Any]:
        build = lungmask_build(plan.work)
        with tempfile.TemporaryDirectory() as folder:
            mask = Path(folder) / "mask.nii.gz"
            return run_script(build, "lungmask_ct.py", series, build.folder / "r231_random.pth", mask)

    def profile(build: Build) -> dict[str, Any]:
        return run_script(build, "profile_ct.py", build.folder / "bundle" / get_task("lung").bundle, series)

    return alternate(
        {
            FLOOR: (lambda: run_script(this_build(), "floor_ct.py", series), plan.rounds),  # fills the disk's cache
            **_builds(plan, partial(run_segment, images=[series], task="lung", options=_CT_FORMATS)),
            LUNGMASK: (lungmask, plan.peer_rounds),
            f"{THIS}, one process": (lambda: profile(this_build()), 1),
            f"{BEFORE}, one process": (lambda: profile(build_before(plan.work)), 1),
        }
    )


def _pictures(plan: Plan) -> dict[str, Any]:
    images = inputs.pictures_of_ph2(plan.work, plan.data, plan.count)
    return _segmented(plan, images, task="skin")


def _picture(plan: Plan) -> dict[str, Any]:
    folder = inputs.pictures(plan.work, 1, 256)
    return _segmented(plan, sorted(folder.iterdir()), task="skin")


def _jpeg(plan: Plan) -> dict[str, Any]:
    return _segmented(plan, [inputs.photograph(plan.work, *plan.jpeg)], task="skin")


def _hearts(plan: Plan) -> dict[str, Any]:
    images = inputs.hearts(plan.work, plan.data, 10)
    return alternate(_builds(plan, partial(run_segment, images=images, task="cardiac")))


def _segmented(plan: Plan, images: Sequence[Path], *, task: str) -> dict[str, Any]:
    """Measure pictures against the build before and the floor."""
    floor: Side = (lambda: run_script(this_build(), "floor_pictures.py", *images), plan.rounds)
    return alternate({FLOOR: floor, **_builds(plan, partial(run_segment, images=images, task=task))})


def _train(plan: Plan, *, task: str, shape: Sequence[int], networks: Sequence[str]) -> dict[str, Any]:
    batch, channels, *size = shape

    def step(build: Build) -> dict[str, Any]:
        return run_script(build, "train_step.py", build.folder / "bundle" / get_task(task).bundle, plan.steps)

    def zoo(name: str) -> dict[str, Any]:
        return run_script(this_build(), "zoo_step.py", name, batch, channels, plan.steps, *size)

    peers: dict[str, Side] = {f"MONAI's {name}": (partial(zoo, name), plan.peer_rounds) for name in networks}
    return alternate({**_builds(plan, step), **peers})


def _fit(plan: Plan) -> dict[str, Any]:
    picture = inputs.pictures_of_ph2(plan.work, plan.data, 1)[0]
    bundle = get_task("skin").bundle

    def fit(build: Build) -> dict[str, Any]:
        return run_script(build, "fit_picture.py", build.folder / "bundle" / bundle, picture, _FITS)

    def original() -> dict[str, Any]:
        return run_script(this_build(), "fit_original.py", bundle_root("skin"), picture)

    return alternate({**_builds(plan, fit), ORIGINAL: (original, 1)})


def _growth_slices(plan: Plan) -> dict[str, Any]:
    def run(slices: int) -> dict[str, Any]:
        series = inputs.ct_series(plan.work, slices, plan.side)
        return run_segment(this_build(), [series], task="lung", options=_CT_FORMATS)

    return _points(plan.many_slices, run)


def _growth_pictures(plan: Plan) -> dict[str, Any]:
    everything = inputs.pictures(plan.work, min(max(plan.many_pictures), _DISTINCT), 256)

    def run(count: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=plan.work) as folder:  # on the same disk, for links
            images = inputs.linked_pictures(everything, count, Path(folder))
            return run_segment(this_build(), [images], task="skin")

    return _points(plan.many_pictures, run)


def _growth_pixels(plan: Plan) -> dict[str, Any]:
    def run(side: int) -> dict[str, Any]:
        return run_segment(this_build(), [inputs.photograph(plan.work, side, side)], task="skin")

    return _points(plan.many_sides, run)


def _points(sizes: Sequence[int], run: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """Measure this build at several sizes, those that fail apart."""
    points, failed = [], {}
    for size in sizes:
        try:
            points.append({"size": size, **run(size)})
        except MeasureError as error:
            failed[str(size)] = str(error)
            print_note(f"{size}: {error}")
    return {"points": points, "failed": failed} if failed else {"points": points}


def _builds(plan: Plan, run: Callable[[Build], dict[str, Any]]) -> dict[str, Side]:
    return {
        THIS: (lambda: run(this_build()), plan.rounds),
        BEFORE: (lambda: run(build_before(plan.work)), plan.rounds),
    }


MEASURES: Mapping[str, Callable[[Plan], dict[str, Any]]] = {
    "ct": _ct,
    "pictures": _pictures,
    "picture": _picture,
    "jpeg": _jpeg,
    "train-skin": partial(
        _train, task="skin", shape=(16, 3, 128, 128), networks=("UNet", "BasicUNet", "SegResNet", "DynUNet")
    ),
    "train-lung": partial(_train, task="lung", shape=(1, 1, 144, 144, 8), networks=("UNet", "SegResNet", "DynUNet")),
    "fit": _fit,
    "hearts": _hearts,
    "growth-slices": _growth_slices,
    "growth-pictures": _growth_pictures,
    "growth-pixels": _growth_pixels,
}
