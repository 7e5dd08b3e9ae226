"""The correction loop: its figures on scores by hand, and one small loop on phantoms with the shipped weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.utils import set_determinism
from PIL import Image

from benchmarks.common.types import BenchmarkCase
from benchmarks.corrections.loop import (
    ORDERS,
    Loop,
    Pool,
    Report,
    at_random,
    by_consistency,
    run_loop,
    score_bundle,
)
from benchmarks.corrections.results import corrections_result
from benchmarks.corrections.run import run_corrections, supervised_figures, write_corrections
from data_prep.phantom import write_skin_phantom
from s3net_monai.active_learning import select_images
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.monailabel.strategies import ConsistencyStrategy
from tests.helpers.image_store import Images
from tests.helpers.paths import ROOT

U_NET = {"PH2": {"mean": 0.91, "ci95": None, "seed_std": 0.01, "by_seed": [0.90, 0.92]}}
SHORT = {"max_epochs": 1, "epoch_length": 1, "batch_size": 2, "unlabeled_images": 2}


def entries(*dice: float) -> list[dict[str, Any]]:
    return [{"case_id": str(place), "split": "PH2", "dice": value} for place, value in enumerate(dice)]


@pytest.fixture
def result() -> dict[str, Any]:
    """Two cases; the order by consistency has with 10 corrections what random ones have with 50."""
    consistency = {0: [entries(0.80, 0.90), entries(0.85, 0.95), entries(0.85, 0.95)]}
    at_hand = {
        0: [entries(0.70, 0.80), entries(0.75, 0.85), entries(0.80, 0.90)],
        1: [entries(0.60, 0.80), entries(0.75, 0.85), entries(0.80, 0.90)],
    }
    scores = {"consistency": consistency, "random": at_hand, "other": {}}
    return corrections_result((10, 20, 50), scores, entries(0.4, 0.8), U_NET)


def test_figures(result: dict[str, Any]) -> None:
    assert [row["name"] for row in result["rows"]] == ["consistency", "random"]
    assert result["shipped"]["PH2"]["mean"] == pytest.approx(0.6)
    assert result["shipped"]["PH2"]["below_half"] == 0.5
    first = result["rows"][1]["cells"]["10"]["PH2"]
    assert first["mean"] == pytest.approx(0.725)  # over seeds (0.75, 0.70) and cases
    assert first["by_seed"] == pytest.approx([0.75, 0.70])
    assert first["seed_std"] == pytest.approx(0.05 / 2**0.5)
    assert "against_random" not in first
    assert result["rows"][0]["cells"]["10"]["PH2"]["against_random"]["difference"] == pytest.approx(0.125)


def test_answers(result: dict[str, Any]) -> None:
    answers = result["answers"]["PH2"]
    assert answers["reached"] == {"consistency": {"10": 10, "20": 10, "50": 10}}
    assert answers["short"]["consistency"] == {"dice": pytest.approx(0.01), "within": True}
    assert answers["short"]["random"] == {"dice": pytest.approx(0.06), "within": False}


def test_a_dice_that_no_step_reaches_and_no_supervised_network() -> None:
    scores = {"consistency": {0: [entries(0.5)]}, "random": {0: [entries(0.6)]}}
    result = corrections_result((10,), scores, entries(0.4), None)
    assert result["supervised"] is None
    assert result["answers"]["PH2"] == {"reached": {"consistency": {"10": None}}, "short": {}}


def test_page_and_plot(result: dict[str, Any], tmp_path: Path) -> None:
    settings = {"learning_rate": 0.0005, "leave_out": 0.2}
    model = {"name": "skin", "version": "1", "sha256": "0" * 64}
    facts = {"command": "s3net", "package_version": "0", "model": model, "pool": 5, "tuning": SHORT | settings}
    write_corrections({**facts, **result}, tmp_path / "out" / "corrections.json")
    page = (tmp_path / "out" / "corrections.md").read_text()
    assert "| consistency | 0.850 | 0.900 | 0.900 |" in page
    assert "with all masks ([skin](skin.md)): 0.910 ± 0.010." in page
    assert "without the 20% least consistent" in page
    assert "reached in the order of consistency with: 10 by 10, 20 by 10, 50 by 10." in page
    assert "- random, 50 corrections: -0.060 from the U-Net, not within 0.02." in page
    with Image.open(tmp_path / "out" / "corrections.png") as picture:
        assert picture.width > 500


@pytest.fixture
def random_again() -> Iterator[None]:
    """Undo the seeding of the configs, which is global."""
    yield
    set_determinism(None)


@pytest.mark.usefixtures("random_again")
def test_a_loop_learns_from_chosen_masks_alone_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    bundle = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    cases = []
    for number in range(6):
        image, label = write_skin_phantom(tmp_path / "data", f"case{number}", (64, 48), seed=number)
        cases.append({"case_id": f"case{number}", "image": str(image), "label": str(label)})
    pool = Pool(cases, bundle_root("skin"), bundle)
    order = at_random(pool, bundle, (), 6, seed=3)
    assert at_random(pool, bundle, order[:2], 2, seed=3) == order[2:4]
    for index in order[3:]:
        Path(cases[index]["label"]).unlink()
    truth = np.asarray(Image.open(cases[order[0]]["label"])).T > 0
    report = Report([BenchmarkCase("a", "PH2", Path(cases[order[0]]["image"]), truth, (1.0, 1.0), "px")], bundle)
    assert score_bundle(bundle, report) == score_bundle(bundle, report), "what is kept in memory stays as it is"
    folder = tmp_path / "work"
    found = run_loop(Loop("random", 3, (2, 3), SHORT), pool, report, folder, "stamp")
    assert [[each["case_id"] for each in step] for step in found] == [["a"], ["a"]]
    assert all(0 <= step[0]["dice"] <= 1 for step in found)
    trained = torch.load(folder / "002" / "model.pt", weights_only=True)
    start = bundle.network.state_dict()
    assert torch.equal(trained["cluster_class"], start["cluster_class"])
    assert not torch.equal(trained["network.body.head.weight"], start["network.body.head.weight"])

    written = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.pt")}
    assert run_loop(Loop("random", 3, (2, 3), SHORT), pool, report, folder, "stamp") == found
    assert {path: path.stat().st_mtime_ns for path in written} == written
    chosen = ORDERS["consistency"](pool, bundle, [0, 1], 2, seed=3)
    assert len(set(chosen) - {0, 1}) == 2


def test_the_loop_chooses_what_the_server_hands_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten labels, with the shipped weights: the least consistent image of those left."""
    for module in ("benchmarks.corrections.loop", "s3net_monai.monailabel.strategies"):
        monkeypatch.setattr(f"{module}.select_images", partial(select_images, max_candidates=1))
    root = bundle_root("skin")
    bundle = load_bundle("skin", root, torch.device("cpu"))
    images = [write_skin_phantom(tmp_path, f"case{number:02d}", (64, 48), seed=number)[0] for number in range(13)]
    store = Images({image.stem: image for image in images})
    store.labeled = [image.stem for image in images[:10]]
    strategy = ConsistencyStrategy(root, "cpu")
    found = strategy({"strategy": "consistency"}, store)
    assert found is not None
    pool = Pool([{"case_id": image.stem, "image": str(image)} for image in images], root, bundle)
    (index,) = by_consistency(pool, bundle, range(10), 1, seed=0)
    assert images[index].stem == found["id"]
    scores = [store.infos[image.stem][strategy.scoring.key]["consistency"] for image in images[10:]]
    assert found["consistency"] == min(scores) < max(scores)


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a name that ends in \.json"):
        run_corrections(tmp_path, tmp_path / "a.txt", tmp_path)
    with pytest.raises(ValueError, match=r"no row 'entropy'; give some of consistency, random$"):
        run_corrections(tmp_path, tmp_path / "a.json", tmp_path, ["entropy"])


def test_the_supervised_network_is_that_of_the_skin_benchmark(tmp_path: Path) -> None:
    assert supervised_figures(tmp_path / "skin.json") is None
    committed = ROOT / "docs" / "benchmark" / "skin.json"
    found = supervised_figures(committed)
    assert found is not None
    assert set(found) == {"PH2", "ISIC 2018 val"}
    assert found["PH2"]["mean"] == pytest.approx(np.mean(found["PH2"]["by_seed"]), abs=1e-4)
