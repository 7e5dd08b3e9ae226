"""Exported bundles in the real operators of MONAI Deploy, against ``s3net_monai.segment`` on the same series."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("holoscan", reason="MONAI Deploy has an environment of its own: make test-deploy")

from monai.deploy.core import Application, Image, IOType, Operator, OperatorSpec, init_app_context
from monai.deploy.operators import (
    BundleConfigNames,
    DICOMDataLoaderOperator,
    DICOMSeriesSelectorOperator,
    DICOMSeriesToVolumeOperator,
    IOMapping,
    MonaiBundleInferenceOperator,
)

import s3net_monai
from s3net_monai.deploy.series_to_volume import SeriesToVolumeOperator
from s3net_monai.inference import bundle_root
from s3net_monai.inference.export import export_bundle

SQUARE, NOT_SQUARE = (3.0, 3.0), (3.0, 1.5)  # mm between rows, between columns


class Collect(Operator):
    """Keeps the images that arrive."""

    def __init__(self, fragment: Application, **options: Any) -> None:
        self.images: list[Image] = []
        super().__init__(fragment, **options)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("pred")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        self.images.append(op_input.receive("pred"))


class Segmentation(Application):
    """A series on disk -> volume -> bundle -> image in memory."""

    def __init__(self, script: Path, series: Path, to_volume: type[Operator]) -> None:
        self.script, self.series, self.to_volume = script, series, to_volume
        super().__init__()

    def compose(self) -> None:
        from holoscan.conditions import CountCondition

        study, chosen = "dicom_study_list", "study_selected_series_list"
        loader = DICOMDataLoaderOperator(self, CountCondition(self, 1), input_folder=self.series, name="loader")
        selector = DICOMSeriesSelectorOperator(self, rules="", name="selector")
        volume = self.to_volume(self, name="volume")
        bundle = MonaiBundleInferenceOperator(
            self,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            app_context=init_app_context([]),
            bundle_config_names=BundleConfigNames(config_names=["inference"]),
            bundle_path=self.script,
            name="bundle",
        )
        self.collect = Collect(self, name="collect")
        self.add_flow(loader, selector, {(study, study)})
        self.add_flow(selector, volume, {(chosen, chosen)})
        self.add_flow(volume, bundle, {("image", "image")})
        self.add_flow(bundle, self.collect, {("pred", "pred")})


def run(script: Path, series: Path, to_volume: type[Operator]) -> tuple[np.ndarray, np.ndarray]:
    """The mask (slices, rows, columns) of the application, and the affine (4, 4) that it works with."""
    application = Segmentation(script, series, to_volume)
    application.run()
    (image,) = application.collect.images
    return image.asnumpy(), np.asarray(image.metadata()["original_affine"])


def deployed(script: Path, series: Path, to_volume: type[Operator] = SeriesToVolumeOperator) -> np.ndarray:
    return run(script, series, to_volume)[0]


def script_of(task: str, root: Path, output: Path) -> Path:
    written, _ = export_bundle(task, root, output)
    return next(path for path in written if path.suffix == ".ts")


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK takes a folder named models in the working directory for the models of the application."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def toy(lung_bundle: Path, tmp_path: Path) -> Path:
    """The toy bundle; the SDK's own operator gives integers, which its network does not take."""
    path = lung_bundle / "configs" / "inference.json"
    config = json.loads(path.read_text())
    config["preprocessing"]["transforms"].append(
        {"_target_": "EnsureTyped", "keys": "image", "dtype": "$torch.float32"}
    )
    path.write_text(json.dumps(config))
    return script_of("lung", lung_bundle, tmp_path / "exported")


@pytest.fixture
def released(tmp_path: Path) -> Path:
    return script_of("lung", bundle_root("lung"), tmp_path / "exported")


@pytest.fixture
def make_chest(series_maker: Callable[..., Any], tmp_path: Path) -> Callable[[tuple[float, float]], Path]:
    """A block of tissue with two lungs of 12 x 20 pixels in each of 12 slices."""

    def make(pixel_spacing: tuple[float, float]) -> Path:
        hounsfield = np.full((12, 48, 64), -1000)
        hounsfield[:, 6:42, 6:58] = 40
        hounsfield[2:10, 14:34, 12:26] = hounsfield[2:10, 12:32, 38:52] = -850
        hounsfield[4:7, 20:23, 16:19] = 30  # a nodule, so that no axis can be flipped unseen
        noise = np.random.default_rng(0).integers(-20, 21, hounsfield.shape)
        stored = (hounsfield + noise + 1024).clip(0).astype(np.uint16)
        return series_maker(stored, pixel_spacing=pixel_spacing, step=5.0).save(tmp_path / "in" / "chest")

    return make


@pytest.mark.parametrize("pixel_spacing", [SQUARE, NOT_SQUARE])
@pytest.mark.parametrize("operator", [DICOMSeriesToVolumeOperator, SeriesToVolumeOperator])
def test_voxels_come_back_where_they_were(
    toy: Path, make_chest: Callable[..., Path], pixel_spacing: tuple[float, float], operator: type[Operator]
) -> None:
    """The toy bundle resamples nothing: below -400.5 HU is foreground."""
    series = make_chest(pixel_spacing)
    expected = s3net_monai.segment(series, task="lung", bundle=toy.parents[1] / "toy_lung", device="cpu")
    assert 0 < expected.mask.sum() < expected.mask.size
    mask, affine = run(toy, series, operator)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask.transpose(2, 1, 0), expected.mask)
    if operator is DICOMSeriesToVolumeOperator and pixel_spacing == NOT_SQUARE:
        assert not np.allclose(affine, expected.affine), "mended in the SDK: drop our own operator"
    else:
        np.testing.assert_allclose(affine, expected.affine, atol=1e-5)


def test_negative_values_stay_negative(toy: Path, series_maker: Callable[..., Any], tmp_path: Path) -> None:
    """The first slice holds positive values alone; air in the second becomes 64536 in the SDK's own operator."""
    stored = np.full((2, 8, 9), 1100, dtype=np.uint16)
    stored[1, 3, 4] = 24  # -1000 HU
    series = series_maker(stored).save(tmp_path / "in" / "ct")
    assert np.argwhere(deployed(toy, series)).tolist() == [[1, 3, 4]]
    assert not deployed(toy, series, DICOMSeriesToVolumeOperator).any(), "mended in the SDK: drop our own operator"


@pytest.mark.slow
def test_the_released_bundle_gives_the_mask_of_segment_for_square_pixels(
    released: Path, make_chest: Callable[..., Path]
) -> None:
    series = make_chest(SQUARE)
    expected = s3net_monai.segment(series, task="lung", device="cpu").mask.transpose(2, 1, 0)
    assert 0.02 < expected.mean() < 0.5
    assert (deployed(released, series, DICOMSeriesToVolumeOperator) != expected).mean() < 1e-4


@pytest.mark.slow
def test_the_released_bundle_gives_the_mask_of_segment_for_other_pixels(
    released: Path, make_chest: Callable[..., Path]
) -> None:
    series = make_chest(NOT_SQUARE)
    expected = s3net_monai.segment(series, task="lung", device="cpu").mask.transpose(2, 1, 0)
    assert 0.02 < expected.mean() < 0.5
    assert (deployed(released, series) != expected).mean() < 1e-4
