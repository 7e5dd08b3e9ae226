"""Draws of labeled patients: whole patients, nested, repeatable, and never one to report on."""

import json
from collections import Counter

import pytest

from s3net_monai.data.datalist import Case, load_sections, write_datalist
from s3net_monai.data.few_labels import few_labels
from s3net_monai.utils.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Patients 01 to 20 for training, 21 for validation, 22 and 23 for test; two labeled frames each."""
    cases = [
        Case(
            f"p{number:02d}_{frame}",
            f"p{number:02d}",
            "training" if number <= 20 else "validation" if number == 21 else "test",
            tmp_path / f"p{number:02d}_{frame}.nii.gz",
            tmp_path / f"p{number:02d}_{frame}_gt.nii.gz",
        )
        for number in range(1, 24)
        for frame in ("ed", "es")
    ]
    write_datalist(tmp_path, "n", "d", "MR", cases)
    return tmp_path


def change(folder, edit):
    content = json.loads((folder / "datalist.json").read_text())
    edit(content)
    (folder / "datalist.json").write_text(json.dumps(content))


def patients(cases):
    return {case["case_id"][:3] for case in cases}


@pytest.mark.parametrize("count", [1, 2, 8, 20])
def test_whole_patients_are_labeled_and_nothing_is_lost(folder, count):
    parts = few_labels(folder, count)
    assert len(patients(parts["training"])) == count
    assert len(parts["training"]) == 2 * count
    assert all(case["label"].endswith("_gt.nii.gz") for case in parts["training"])
    assert all(set(case) == {"case_id", "image"} for case in parts["unlabeled"])
    assert not patients(parts["training"]) & patients(parts["unlabeled"])
    whole = {case["case_id"] for case in load_sections(folder)["training"]}
    assert {case["case_id"] for part in ("training", "unlabeled") for case in parts[part]} == whole
    assert patients(parts["validation"]) == {"p21"}
    assert patients(parts["test"]) == {"p22", "p23"}


def test_draws_are_nested_repeatable_and_fair(folder):
    for seed in range(5):
        one, two, eight = (patients(few_labels(folder, count, seed)["training"]) for count in (1, 2, 8))
        assert one < two < eight
        assert patients(few_labels(folder, 8, seed)["training"]) == eight
    drawn = Counter(name for seed in range(400) for name in patients(few_labels(folder, 1, seed)["training"]))
    assert len(drawn) == 20
    assert 5 <= min(drawn.values()) <= max(drawn.values()) <= 40


def test_draw_does_not_depend_on_the_order_of_the_file(folder):
    before = patients(few_labels(folder, 3)["training"])
    change(folder, lambda content: content["training"].reverse())
    assert patients(few_labels(folder / "datalist.json", 3)["training"]) == before


def test_partly_labeled_sets_and_a_section_of_unlabeled_cases(folder):
    def edit(content):
        content["training"] = [e if e["case_id"][:3] <= "p03" else {**e, "label": None} for e in content["training"]]
        for entry in content["training"]:
            if entry["label"] is None:
                del entry["label"]
        content["unlabeled"] = [{"case_id": "x1", "image": "x1.png"}, {"case_id": "x2", "image": "x2.png"}]

    change(folder, edit)
    parts = few_labels(folder)
    assert patients(parts["training"]) == {"p01", "p02", "p03"}
    assert len(parts["unlabeled"]) == 2 * 17 + 2
    assert parts["unlabeled"][-1] == {"case_id": "x2", "image": str(folder / "x2.png")}
    assert patients(few_labels(folder, 2)["training"]) < patients(parts["training"])


def test_another_pattern_of_patients(folder):
    change(folder, lambda content: content.update(validation=[], test=[]))
    assert len(few_labels(folder, 3, patient="p[012]")["training"]) == 40
    assert len(few_labels(folder, 1, patient="p[012]")["training"]) in (18, 20, 2)  # p01 to p09, p10 to p19, p20
    with pytest.raises(DataError, match="case p20_ed does not begin with a patient"):
        few_labels(folder, 1, patient="p[01][0-9]")


@pytest.mark.parametrize("count", [0, 21])
def test_more_patients_than_there_are(folder, count):
    with pytest.raises(DataError, match=rf"20 patients with labels in the section training, {count} asked for"):
        few_labels(folder, count)


def test_no_labels_at_all(folder):
    change(folder, lambda content: [entry.pop("label") for entry in content["training"]])
    images = [entry["case_id"] for entry in load_sections(folder)["training"]]
    found = few_labels(folder)
    assert found["training"] == []
    assert [entry["case_id"] for entry in found["unlabeled"][: len(images)]] == images
    with pytest.raises(DataError, match="0 patients with labels"):
        few_labels(folder, 1)


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("section", ["training", "unlabeled"])
def test_a_patient_to_report_on_is_never_trained_on(folder, part, section):
    def edit(content):
        content.setdefault(section, []).append({"case_id": content[part][0]["case_id"][:3] + "_x", "image": "x.png"})

    change(folder, edit)
    with pytest.raises(DataError, match=f"1 patients in training and in {part}"):
        few_labels(folder, 1)


def test_a_plain_folder_has_no_labels_to_draw_from(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match="0 patients with labels in the section training, 1 asked for"):
        few_labels(tmp_path, 1)
