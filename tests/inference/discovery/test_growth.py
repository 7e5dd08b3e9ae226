"""Discovery of four times as many files takes four times the work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest

from s3net_monai.data.label_names import find_labels, pair_labels
from s3net_monai.inference import find_cases
from s3net_monai.inference.discovery.case_ids import with_unique_ids
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.io.dicom.copies import drop_copies
from s3net_monai.io.dicom.files import read_header
from s3net_monai.utils.pseudonyms import Pseudonyms
from tests.helpers.counted_calls import counted_calls
from tests.helpers.discovery_results import touch

LINEAR = 4 * 1.25  # sorting takes slightly more; the square of the number would give up to 16


def growth(work: Callable[[int], Callable[[], Any]], count: int) -> float:
    """The calls for four times ``count`` items, as a multiple of those for ``count``."""
    first, second = work(count), work(4 * count)
    first(), second()  # modules are imported, and caches filled
    return counted_calls(second) / counted_calls(first)


@pytest.mark.parametrize("template", ["/{}/a/b/c/scan.png", "/{}/scan.png", "/a/b/c/scan{}.png", "/a/b/c/scan.png"])
def test_names_of_cases(template: str) -> None:
    def work(count: int) -> Callable[[], Any]:
        paths = [Path(template.format(number)) for number in range(count)]
        cases = [Case(case_id=path.stem, input=path, image=(path,), kind="image_2d") for path in paths]
        return lambda: with_unique_ids(cases, Pseudonyms())

    assert growth(work, 500) < LINEAR


@pytest.mark.parametrize(
    ("image", "label"),
    [("{}.png", "{}_mask.png"), ("images/{}.png", "labels/{}.png"), ("{}/image.png", "{}/label.png")],
)
def test_labels(image: str, label: str) -> None:
    def work(count: int) -> Callable[[], Any]:
        images = [PurePath(image.format(number)) for number in range(count)]
        files = [*images, *(PurePath(label.format(number)) for number in range(count))]

        def pair() -> None:
            found = find_labels(files)
            assert len(found) == count
            assert len(pair_labels(images, found)) == count

        return pair

    assert growth(work, 100) < LINEAR


@pytest.mark.parametrize("template", ["{}/a/b/scan.png", "scan{}.png"])
def test_files(tmp_path: Path, template: str) -> None:
    def work(count: int) -> Callable[[], Any]:
        root = tmp_path / str(count)
        touch(*(root / template.format(number) for number in range(count)))
        return lambda: find_cases([root])

    assert growth(work, 50) < LINEAR


@pytest.mark.parametrize("in_one_study", [True, False])
def test_series_of_one_file(series_maker: Callable[..., Any], tmp_path: Path, in_one_study: bool) -> None:
    maker = series_maker(np.zeros((1, 4, 4), dtype=np.uint16))

    def work(count: int) -> Callable[[], Any]:
        root = tmp_path / str(count)
        for number in range(count):
            maker.slices[0].SeriesInstanceUID = f"1.2.{number}"
            maker.slices[0].StudyInstanceUID = "1.3" if in_one_study else f"1.3.{number}"
            maker.save(root / str(number))
        return lambda: find_cases([root])

    assert growth(work, 20) < LINEAR


def test_slices_that_share_a_uid(series_maker: Callable[..., Any], tmp_path: Path) -> None:
    """As some anonymizers leave them."""

    def work(count: int) -> Callable[[], Any]:
        maker = series_maker(np.zeros((count, 4, 4), dtype=np.uint16))
        for dataset in maker.slices:
            dataset.SOPInstanceUID = "1.2.3"
        headers = [read_header(path) for path in sorted(maker.save(tmp_path / str(count)).iterdir())]
        return lambda: drop_copies(headers)

    assert growth(work, 30) < LINEAR
