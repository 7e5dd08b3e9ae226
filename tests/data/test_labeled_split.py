"""Splits into labeled patients: whole patients, nested, repeatable, and none that is reported on."""

import json
from collections import Counter

import pytest

from s3net_monai.data.datalist import DatalistCase, load_sections, write_datalist
from s3net_monai.data.labeled_split import split_labeled_patients
from s3net_monai.utils.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Patients 01 to 20 for training, 21 for validation, 22 and 23 for test; two labeled frames each."""
    cases = [
        DatalistCase(
            case_id=f"p{number:02d}_{frame}",
            patient=f"p{number:02d}",
            split="training" if number <= 20 else "validation" if number == 21 else "test",
            image=tmp_path / f"p{number:02d}_{frame}.nii.gz",
            label=tmp_path / f"p{number:02d}_{frame}_gt.nii.gz",
        )
        for number in range(1, 24)
        for frame in ("ed", "es")
    ]
    write_datalist(tmp_path, name="n", description="d", modality="MR", cases=cases)
    return tmp_path


def change(folder, edit):
    content = json.loads((folder / "datalist.json").read_text())
    edit(content)
    (folder / "datalist.json").write_text(json.dumps(content))


def patients(cases):
    return {case["case_id"][:3] for case in cases}


@pytest.mark.parametrize("count", [1, 2, 8, 20])
def test_whole_patients_are_labeled_and_no_case_is_lost(folder, count):
    sections = split_labeled_patients(folder, count)
    assert len(patients(sections["training"])) == count
    assert len(sections["training"]) == 2 * count
    assert all(case["label"].endswith("_gt.nii.gz") for case in sections["training"])
    assert all(set(case) == {"case_id", "image"} for case in sections["unlabeled"])
    assert not patients(sections["training"]) & patients(sections["unlabeled"])
    whole = {case["case_id"] for case in load_sections(folder)["training"]}
    assert {case["case_id"] for name in ("training", "unlabeled") for case in sections[name]} == whole
    assert patients(sections["validation"]) == {"p21"}
    assert patients(sections["test"]) == {"p22", "p23"}


def test_splits_are_nested_repeatable_and_balanced(folder):
    for seed in range(5):
        one, two, eight = (patients(split_labeled_patients(folder, count, seed)["training"]) for count in (1, 2, 8))
        assert one < two < eight
        assert patients(split_labeled_patients(folder, 8, seed)["training"]) == eight
    counts = Counter(
        name for seed in range(400) for name in patients(split_labeled_patients(folder, 1, seed)["training"])
    )
    assert len(counts) == 20
    assert 5 <= min(counts.values()) <= max(counts.values()) <= 40


def test_split_does_not_depend_on_the_order_of_the_file(folder):
    before = patients(split_labeled_patients(folder, 3)["training"])
    change(folder, lambda content: content["training"].reverse())
    assert patients(split_labeled_patients(folder / "datalist.json", 3)["training"]) == before


def test_partly_labeled_set_with_unlabeled_section(folder):
    def edit(content):
        content["training"] = [e if e["case_id"][:3] <= "p03" else {**e, "label": None} for e in content["training"]]
        for entry in content["training"]:
            if entry["label"] is None:
                del entry["label"]
        content["unlabeled"] = [{"case_id": "x1", "image": "x1.png"}, {"case_id": "x2", "image": "x2.png"}]

    change(folder, edit)
    sections = split_labeled_patients(folder)
    assert patients(sections["training"]) == {"p01", "p02", "p03"}
    assert len(sections["unlabeled"]) == 2 * 17 + 2
    assert sections["unlabeled"][-1] == {"case_id": "x2", "image": str(folder / "x2.png")}
    assert patients(split_labeled_patients(folder, 2)["training"]) < patients(sections["training"])


def test_other_patient_pattern(folder):
    change(folder, lambda content: content.update(validation=[], test=[]))
    assert len(split_labeled_patients(folder, 3, patient_pattern="p[012]")["training"]) == 40
    assert len(split_labeled_patients(folder, 1, patient_pattern="p[012]")["training"]) in (
        18,
        20,
        2,
    )  # p01 to p09, p10 to p19, p20
    with pytest.raises(DataError, match="case p20_ed does not begin with a patient"):
        split_labeled_patients(folder, 1, patient_pattern="p[01][0-9]")


@pytest.mark.parametrize("count", [0, 21])
def test_impossible_number_of_patients(folder, count):
    with pytest.raises(DataError, match=rf"20 patients with labels in the section training, {count} requested"):
        split_labeled_patients(folder, count)


def test_set_without_labels(folder):
    change(folder, lambda content: [entry.pop("label") for entry in content["training"]])
    images = [entry["case_id"] for entry in load_sections(folder)["training"]]
    sections = split_labeled_patients(folder)
    assert sections["training"] == []
    assert [entry["case_id"] for entry in sections["unlabeled"][: len(images)]] == images
    with pytest.raises(DataError, match="0 patients with labels"):
        split_labeled_patients(folder, 1)


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("section", ["training", "unlabeled"])
def test_patient_of_report_in_training_is_refused(folder, part, section):
    def edit(content):
        content.setdefault(section, []).append({"case_id": content[part][0]["case_id"][:3] + "_x", "image": "x.png"})

    change(folder, edit)
    with pytest.raises(DataError, match=f"1 patients in training and in {part}"):
        split_labeled_patients(folder, 1)


def test_plain_folder_has_no_labels(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match="0 patients with labels in the section training, 1 requested"):
        split_labeled_patients(tmp_path, 1)
