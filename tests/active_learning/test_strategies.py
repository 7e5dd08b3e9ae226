"""The strategy for MONAI Label, over a datastore in memory and the shipped skin weights; MONAI Label is not needed."""

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


def test_scores_are_kept_and_other_weights_score_anew(images: Images, bundle: Path) -> None:
    scoring = ConsistencyScoring(bundle, "cpu")
    assert scoring({"max_samples": 3}, images)["executed"] == 3
    first = scoring({}, images)
    assert (first["total"], first["executed"], first["skipped"]) == (4, 1, 3)
    assert scoring({}, images)["executed"] == 0
    kept = images.infos["a"][scoring.key]
    assert 0 <= kept["consistency"] <= 1
    os.utime(bundle / "models" / "model.pt", (1, 1))
    assert scoring.measured(images.infos["a"]) is None
    assert scoring({}, images)["executed"] == 4
    assert images.infos["a"][scoring.key] == {**kept, "weights": 1}


def test_the_scores_of_one_bundle_are_not_those_of_another(images: Images, bundle: Path) -> None:
    scoring, other = ConsistencyScoring(bundle, "cpu"), ConsistencyScoring(bundle_root("lung"), "cpu")
    images.infos["a"][scoring.key] = {"weights": scoring.date_of_weights(), "consistency": 0.5, "features": [1.0]}
    os.utime(bundle / "models" / "model.pt", (other.date_of_weights(),) * 2)
    images.infos["a"][scoring.key]["weights"] = scoring.date_of_weights()
    assert scoring.measured(images.infos["a"]) is not None
    assert other.measured(images.infos["a"]) is None


@pytest.mark.parametrize("measured", [True, False])
def test_least_consistent_first_once_ten_have_labels(bundle: Path, measured: bool) -> None:
    """52 images, all but two at one place: one of the 40 least consistent is chosen, and what is out is not."""
    strategy = ConsistencyStrategy(bundle, "cpu")
    names = [f"image{number:02d}" for number in range(62)]
    images = Images({name: bundle / name for name in names})
    for place, name in enumerate(names):
        if place < 52 or measured:  # the last ten have labels
            spot = [float(place == 45), float(place in (20, 45))]
            entry = {"weights": strategy.scoring.date_of_weights(), "consistency": place / 100, "features": spot}
            images.infos[name][strategy.scoring.key] = entry
    images.labeled = names[53:]
    found = strategy(REQUEST, images)
    assert found is not None
    assert found["id"] != "image20", "nine labels: first what covers all"
    images.labeled = names[52:]
    order = []
    while (found := strategy(REQUEST, images)) and len(order) < 4:
        images.serve(found["id"])
        order.append(found["id"])
    assert "image20" in order[: 1 if measured else 2], "what the labeled ones do not cover"
    assert max(order) < "image44"
    assert len(set(order)) == 4
    assert found is not None
    assert found["consistency"] == names.index(found["id"]) / 100
    images.labeled = names
    assert strategy(REQUEST, images) is None


def test_first_round_needs_no_label_and_hands_out_different_images(images: Images, bundle: Path) -> None:
    strategy = ConsistencyStrategy(bundle, "cpu")
    handed = []
    for _ in range(4):
        found = strategy(REQUEST, images)
        assert found is not None
        images.serve(found["id"])
        handed.append(found["id"])
    assert sorted(handed) == ["a", "b", "c", "d"]
    assert strategy(REQUEST, images) is not None  # all are out: better one twice than none


def test_a_call_scores_few_images_itself(images: Images, bundle: Path) -> None:
    strategy = ConsistencyStrategy(bundle, "cpu", at_once=2)
    found = strategy(REQUEST, images)
    assert found is not None
    assert sum(strategy.scoring.key in info for info in images.infos.values()) == 2
    assert strategy.scoring.key in images.infos[found["id"]]


def test_an_unreadable_image_stops_nothing(images: Images, bundle: Path) -> None:
    images.paths["a"].write_bytes(b"no picture")
    strategy = ConsistencyStrategy(bundle, "cpu")
    found = strategy(REQUEST, images)
    assert found is not None
    assert found["id"] != "a"
    assert images.infos["a"][strategy.scoring.key]["consistency"] is None
    assert strategy.scoring({}, images)["executed"] == 0, "it is not tried again with the same weights"


def test_an_image_that_cannot_be_had_stops_nothing(
    images: Images, bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that has gone, a file of another kind, and a store whose network fails."""
    images.paths["a"].unlink()
    images.paths["b"] = bundle / "LICENSE"
    fetch = images.get_image_uri

    def failing(image_id: str) -> str:
        if image_id == "c":
            raise ConnectionError("1.2.840.113619")
        return fetch(image_id)

    monkeypatch.setattr(images, "get_image_uri", failing)
    strategy = ConsistencyStrategy(bundle, "cpu")
    found = strategy(REQUEST, images)
    assert found is not None
    assert found["id"] == "d"
    assert strategy.scoring({}, images)["executed"] == 0
    assert "image 2 of the list is not scored: ConnectionError" in caplog.text
    assert "1.2.840" not in caplog.text


def test_a_call_measures_no_whole_archive(images: Images, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3net_monai.monailabel.strategies.MAX_MEASURED_IMAGES", 3)
    scoring = ConsistencyScoring(bundle, "cpu")
    assert [scoring({}, images)["executed"] for _ in range(3)] == [3, 1, 0]


def test_unknown_bundles_are_named(tmp_path: Path, images: Images) -> None:
    folder = tmp_path / "spleen"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "model.pt").touch()
    with pytest.raises(ValueError, match="spleen: not a bundle of this package; expected lung_ct_segmentation"):
        ConsistencyScoring(folder, "cpu")({}, images)
