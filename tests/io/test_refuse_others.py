"""No image and no label ever reaches the readers that MONAI has of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from monai.bundle import ConfigParser

from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import causes
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.paths import BUNDLES

CONFIGS = sorted(path for path in BUNDLES.glob("*/configs/*.json") if "LoadImaged" in path.read_text())
IMAGES = {
    "lung_ct_segmentation": "CT",
    "abdominal_ct_slices_segmentation": "CT",
    "cardiac_mr_segmentation": "MR",
    "skin_lesion_segmentation": "a 2-D color image",
}


def loaders(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("_target_") == "LoadImaged":
            yield node
        for value in node.values():
            yield from loaders(value)


def image_loader(config: Path) -> Any:
    content = json.loads(config.read_text())
    node = next(node for node in loaders(content) if node["keys"] == "image")
    names = ("upright_gray", "upright_rgb")
    imports = [f"$from s3net_monai.io import {name}" for name in names]
    return ConfigParser({"imports": imports, "allow": [], "load": node}).get_parsed_content("load")


def refusal(load: Any, sample: dict[str, Any]) -> str:
    with pytest.raises(Exception) as refused:  # noqa: PT011  # MONAI may wrap it
        load(sample)
    error = next(link for link in causes(refused.value) if isinstance(link, CaseError))
    assert "\n" not in str(error)
    return str(error)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_every_list_ends_the_search(config: Path) -> None:
    for node in loaders(json.loads(config.read_text())):
        first = node["reader"][0]["_target_"].rpartition(".")[2]
        assert first == ("LabelReader" if node["keys"] == "label" else "RefuseOthersReader")
        if node["keys"] == "image":  # the step that logs what the readers noted
            assert "s3net_monai.transforms.FillNonFinited" in config.read_text()


@pytest.mark.parametrize("bundle", IMAGES)
@pytest.mark.parametrize("stem", ["train", "inference"])
def test_what_only_monai_reads_is_refused(
    bundle: str, stem: str, series_maker: Callable[..., SeriesMaker], stored_ramp: np.ndarray, tmp_path: Path
) -> None:
    load = image_loader(BUNDLES / bundle / "configs" / f"{stem}.json")
    np.save(tmp_path / "a.npy", np.zeros((60, 50, 40), np.float32))
    message = refusal(load, {"image": str(tmp_path / "a.npy")})
    assert message.startswith(f"a.npy: no reader takes it, {IMAGES[bundle]} (")
    assert message.endswith("expected; convert it")
    folder = series_maker(np.repeat(stored_ramp, 4, axis=0)).save(tmp_path / "ct")
    if IMAGES[bundle] == "CT":
        assert load({"image": str(folder)})["image"].ndim == 3
    for path in sorted(folder.iterdir())[5:8]:
        path.unlink()
    message = refusal(load, {"image": str(folder)})
    assert "no reader takes it" in message if "skin" in bundle else ("MR" if "mr" in bundle else "missing") in message
    nibabel.save(nibabel.Nifti1Image(np.zeros((60, 50, 40), np.int16), np.diag([-2.0, 2, 2, 1])), tmp_path / "a.nii.gz")
    if "skin" in bundle:
        assert refusal(load, {"image": str(tmp_path / "a.nii.gz")}).startswith("a.nii.gz: no reader takes it")
    else:
        assert load({"image": str(tmp_path / "a.nii.gz")})["image"].shape == (60, 50, 40)


def test_a_label_of_an_unknown_kind(tmp_path: Path) -> None:
    from monai.transforms import LoadImaged

    from s3net_monai.io import LabelReader

    np.save(tmp_path / "a.npy", np.zeros((6, 5, 4), np.uint8))
    message = refusal(LoadImaged("label", reader=[LabelReader()]), {"label": str(tmp_path / "a.npy")})
    assert message.startswith("a.npy: not a known kind of label; give one of .nii")
