"""Simulated annotators: figures by hand, and one short run on phantoms with the released weights."""

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
from benchmarks.corrections.annotator import (
    ORDERS,
    AnnotatorRun,
    Pool,
    ReportCases,
    at_random,
    by_consistency,
    run_annotator,
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
    return [{"case_id": str(index), "split": "PH2", "dice": value} for index, value in enumerate(dice)]


@pytest.fixture
def result() -> dict[str, Any]:
    """Two cases; the order by consistency has with 10 corrections the Dice of 50 random ones."""
    consistency = {0: [entries(0.80, 0.90), entries(0.85, 0.95), entries(0.85, 0.95)]}
    random = {
        0: [entries(0.70, 0.80), entries(0.75, 0.85), entries(0.80, 0.90)],
        1: [entries(0.60, 0.80), entries(0.75, 0.85), entries(0.80, 0.90)],
    }
    scores = {"consistency": consistency, "random": random, "other": {}}
    return corrections_result((10, 20, 50), scores, released=entries(0.4, 0.8), supervised=U_NET)


def test_figures(result: dict[str, Any]) -> None:
    assert [row["name"] for row in result["rows"]] == ["consistency", "random"]
    assert result["released"]["PH2"]["mean"] == pytest.approx(0.6)
    assert result["released"]["PH2"]["below_half"] == 0.5
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


def test_an_unreached_dice_and_no_supervised_network() -> None:
    scores = {"consistency": {0: [entries(0.5)]}, "random": {0: [entries(0.6)]}}
    result = corrections_result((10,), scores, released=entries(0.4), supervised=None)
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
    assert "of which the 20% least consistent are left out" in page
    assert "reached in the order of consistency with: 10 by 10, 20 by 10, 50 by 10." in page
    assert "- random, 50 corrections: -0.060 from the U-Net, not within 0.02." in page
    with Image.open(tmp_path / "out" / "corrections.png") as plot:
        assert plot.width > 500


@pytest.fixture
def restore_random_state() -> Iterator[None]:
    """Undo the global seeding by the configs."""
    yield
    set_determinism(None)


@pytest.mark.slow
@pytest.mark.usefixtures("restore_random_state")
def test_a_run_trains_on_chosen_masks_alone_and_continues(tmp_path: Path) -> None:
    bundle = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    cases = []
    for number in range(6):
        image, label = write_skin_phantom(tmp_path / "data", f"case{number}", (64, 48), seed=number)
        cases.append({"case_id": f"case{number}", "image": str(image), "label": str(label)})
    pool = Pool(cases, bundle_root("skin"), bundle)
    order = at_random(pool, bundle, (), count=6, seed=3)
    assert at_random(pool, bundle, order[:2], count=2, seed=3) == order[2:4]
    for index in order[3:]:
        Path(cases[index]["label"]).unlink()
    truth = np.asarray(Image.open(cases[order[0]]["label"])).T > 0
    image = Path(cases[order[0]]["image"])
    case = BenchmarkCase(case_id="a", split="PH2", image=image, truth=truth, spacing=(1.0, 1.0), unit="px")
    report_cases = ReportCases([case], bundle)
    scores = score_bundle(bundle, report_cases)
    assert score_bundle(bundle, report_cases) == scores, "samples in memory must not change"
    folder = tmp_path / "work"
    run = AnnotatorRun(order="random", seed=3, steps=(2, 3), overrides=SHORT)
    by_step = run_annotator(run, pool, report_cases, folder=folder, cache_key="key")
    assert [[entry["case_id"] for entry in step] for step in by_step] == [["a"], ["a"]]
    assert all(0 <= step[0]["dice"] <= 1 for step in by_step)
    trained = torch.load(folder / "002" / "model.pt", weights_only=True)
    start = bundle.network.state_dict()
    assert torch.equal(trained["cluster_class"], start["cluster_class"])
    assert not torch.equal(trained["network.body.head.weight"], start["network.body.head.weight"])

    written = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.pt")}
    assert run_annotator(run, pool, report_cases, folder=folder, cache_key="key") == by_step
    assert {path: path.stat().st_mtime_ns for path in written} == written
    chosen = ORDERS["consistency"](pool, bundle, [0, 1], count=2, seed=3)
    assert len(set(chosen) - {0, 1}) == 2


@pytest.mark.slow
def test_the_order_is_that_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten labels, with the released weights: the least consistent remaining image."""
    for module in ("benchmarks.corrections.annotator", "s3net_monai.monailabel.strategies"):
        monkeypatch.setattr(f"{module}.select_images", partial(select_images, max_candidates=1))
    root = bundle_root("skin")
    bundle = load_bundle("skin", root, torch.device("cpu"))
    images = [write_skin_phantom(tmp_path, f"case{number:02d}", (64, 48), seed=number)[0] for number in range(13)]
    store = Images({image.stem: image for image in images})
    store.labeled = [image.stem for image in images[:10]]
    strategy = ConsistencyStrategy(root, "cpu")
    answer = strategy({"strategy": "consistency"}, store)
    assert answer is not None
    pool = Pool([{"case_id": image.stem, "image": str(image)} for image in images], root, bundle)
    (index,) = by_consistency(pool, bundle, range(10), count=1, seed=0)
    assert images[index].stem == answer["id"]
    scores = [store.infos[image.stem][strategy.scoring.key]["consistency"] for image in images[10:]]
    assert answer["consistency"] == min(scores) < max(scores)


def test_unusable_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a name that ends in \.json"):
        run_corrections(tmp_path, tmp_path / "a.txt", work=tmp_path)
    with pytest.raises(ValueError, match=r"no row 'entropy'; give some of consistency, random$"):
        run_corrections(tmp_path, tmp_path / "a.json", work=tmp_path, names=["entropy"])


def test_the_supervised_figures_are_those_of_the_skin_table(tmp_path: Path) -> None:
    assert supervised_figures(tmp_path / "skin.json") is None
    committed = ROOT / "docs" / "benchmark" / "skin.json"
    figures = supervised_figures(committed)
    assert figures is not None
    assert set(figures) == {"PH2", "ISIC 2018 val"}
    assert figures["PH2"]["mean"] == pytest.approx(np.mean(figures["PH2"]["by_seed"]), abs=1e-4)
