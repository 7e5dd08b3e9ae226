"""The strategy for MONAI Label on a datastore in memory, with the released skin weights and without MONAI Label."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from data_prep.phantom import write_skin_phantom
from s3net_monai.inference import bundle_root
from s3net_monai.monailabel.strategies import ConsistencyScoring, ConsistencyStrategy
from tests.helpers.image_store import Images

REQUEST = {"strategy": "consistency"}


@pytest.fixture
def images(tmp_path: Path) -> Images:
    names = ("a", "b", "c", "d")
    return Images({name: write_skin_phantom(tmp_path, name, (64, 48), seed=i)[0] for i, name in enumerate(names)})


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy, as MONAI Label serves it."""
    folder = tmp_path / "model" / "skin_lesion_segmentation"
    shutil.copytree(bundle_root("skin"), folder)
    return folder


def test_scores_are_kept_until_the_weights_change(images: Images, bundle: Path) -> None:
    scoring = ConsistencyScoring(bundle, "cpu")
    assert scoring({"max_samples": 3}, images)["executed"] == 3
    first = scoring({}, images)
    assert (first["total"], first["executed"], first["skipped"]) == (4, 1, 3)
    assert scoring({}, images)["executed"] == 0
    stored = images.infos["a"][scoring.key]
    assert 0 <= stored["consistency"] <= 1
    os.utime(bundle / "models" / "model.pt", (1, 1))
    assert scoring.stored_score(images.infos["a"]) is None
    assert scoring({}, images)["executed"] == 4
    assert images.infos["a"][scoring.key] == {**stored, "weights": 1}


def test_scores_belong_to_one_bundle(images: Images, bundle: Path) -> None:
    scoring, other = ConsistencyScoring(bundle, "cpu"), ConsistencyScoring(bundle_root("lung"), "cpu")
    images.infos["a"][scoring.key] = {"weights": scoring.weights_time(), "consistency": 0.5, "features": [1.0]}
    os.utime(bundle / "models" / "model.pt", (other.weights_time(),) * 2)
    images.infos["a"][scoring.key]["weights"] = scoring.weights_time()
    assert scoring.stored_score(images.infos["a"]) is not None
    assert other.stored_score(images.infos["a"]) is None


@pytest.mark.parametrize("labeled_are_scored", [True, False])
def test_least_consistent_come_first_after_ten_labels(bundle: Path, labeled_are_scored: bool) -> None:
    """Of 52 images, all but two with equal features, one of the 40 least consistent comes next, and no reserved one."""
    strategy = ConsistencyStrategy(bundle, "cpu")
    names = [f"image{number:02d}" for number in range(62)]
    images = Images({name: bundle / name for name in names})
    for number, name in enumerate(names):
        if number < 52 or labeled_are_scored:  # the last ten have labels
            features = [float(number == 45), float(number in (20, 45))]
            entry = {"weights": strategy.scoring.weights_time(), "consistency": number / 100, "features": features}
            images.infos[name][strategy.scoring.key] = entry
    images.labeled = names[53:]
    sample = strategy(REQUEST, images)
    assert sample is not None
    assert sample["id"] != "image20", "with nine labels, medoids come first"
    images.labeled = names[52:]
    order = []
    while (sample := strategy(REQUEST, images)) and len(order) < 4:
        images.serve(sample["id"])
        order.append(sample["id"])
    assert "image20" in order[: 1 if labeled_are_scored else 2], "the image that differs from the labeled ones"
    assert max(order) < "image44"
    assert len(set(order)) == 4
    assert sample is not None
    assert sample["consistency"] == names.index(sample["id"]) / 100
    images.labeled = names
    assert strategy(REQUEST, images) is None


def test_first_round_hands_out_different_images(images: Images, bundle: Path) -> None:
    strategy = ConsistencyStrategy(bundle, "cpu")
    handed_out = []
    for _ in range(4):
        sample = strategy(REQUEST, images)
        assert sample is not None
        images.serve(sample["id"])
        handed_out.append(sample["id"])
    assert sorted(handed_out) == ["a", "b", "c", "d"]
    assert strategy(REQUEST, images) is not None  # all are reserved: handing one out twice is better than none


def test_a_call_scores_only_a_few_images(images: Images, bundle: Path) -> None:
    strategy = ConsistencyStrategy(bundle, "cpu", min_scored=2)
    sample = strategy(REQUEST, images)
    assert sample is not None
    assert sum(strategy.scoring.key in info for info in images.infos.values()) == 2
    assert strategy.scoring.key in images.infos[sample["id"]]


def test_unreadable_image_does_not_stop_the_strategy(images: Images, bundle: Path) -> None:
    images.paths["a"].write_bytes(b"no image")
    strategy = ConsistencyStrategy(bundle, "cpu")
    sample = strategy(REQUEST, images)
    assert sample is not None
    assert sample["id"] != "a"
    assert images.infos["a"][strategy.scoring.key]["consistency"] is None
    assert strategy.scoring({}, images)["executed"] == 0, "it is not attempted again with the same weights"


def test_missing_image_does_not_stop_the_strategy(
    images: Images, bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A deleted file, a file that is no image, and a datastore whose network fails."""
    images.paths["a"].unlink()
    images.paths["b"] = bundle / "LICENSE"
    fetch = images.get_image_uri

    def failing(image_id: str) -> str:
        if image_id == "c":
            raise ConnectionError("1.2.840.113619")
        return fetch(image_id)

    monkeypatch.setattr(images, "get_image_uri", failing)
    strategy = ConsistencyStrategy(bundle, "cpu")
    sample = strategy(REQUEST, images)
    assert sample is not None
    assert sample["id"] == "d"
    assert strategy.scoring({}, images)["executed"] == 0
    assert "image 2 of the list is not scored: it cannot be fetched or read; look at it by hand" in caplog.text
    assert "1.2.840" not in caplog.text


def test_a_call_does_not_score_a_whole_archive(images: Images, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3net_monai.monailabel.strategies.MAX_SCORED_IMAGES", 3)
    scoring = ConsistencyScoring(bundle, "cpu")
    assert [scoring({}, images)["executed"] for _ in range(3)] == [3, 1, 0]


def test_unknown_bundles_are_named(tmp_path: Path, images: Images) -> None:
    folder = tmp_path / "spleen"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "model.pt").touch()
    with pytest.raises(ValueError, match="spleen: not a bundle of this package; expected lung_ct_segmentation"):
        ConsistencyScoring(folder, "cpu")({}, images)
