"""Pooled data sets: which cases are repeated, and that labels are left out."""

import pytest
from monai.bundle import ConfigParser

from s3net_monai.data.datalist import DatalistCase, write_datalist
from s3net_monai.data.pool import pool_datalists
from s3net_monai.utils.errors import DataError


@pytest.fixture
def folders(tmp_path):
    """Three sources with 7, 2 and 1 training cases, labeled; only the first has a test case."""
    made = []
    for name, count in (("a", 7), ("b", 2), ("c", 1)):
        root = tmp_path / name
        cases = [
            DatalistCase(
                case_id=f"{name}{i}",
                patient=str(i),
                split="training",
                image=root / f"{i}.png",
                label=root / f"{i}_m.png",
            )
            for i in range(count)
        ]
        if name == "a":
            cases.append(DatalistCase(case_id="a_test", patient="t", split="test", image=root / "t.png"))
        write_datalist(root, name=name, description="", modality="CT", cases=cases)
        for case in cases:
            for file in filter(None, (case.image, case.label)):
                file.touch()
        made.append(root)
    return made


def counts(cases):
    return [sum(case["case_id"].startswith(letter) for case in cases) for letter in "abc"]


def test_one_after_the_other_without_labels(folders):
    pooled = pool_datalists(folders, "training")
    assert [case["case_id"] for case in pooled] == ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "b0", "b1", "c0"]
    assert all(set(case) == {"case_id", "image"} for case in pooled)
    assert pooled[7]["image"] == str(folders[1] / "0.png")


def test_equal_repeats_whole_sources_to_the_size_of_the_largest(folders):
    pooled = pool_datalists(folders, "training", equal=True)
    assert counts(pooled) == [7, 8, 7]  # 3.5 rounds to 4
    for name in ("b0", "b1"):
        assert sum(case["case_id"] == name for case in pooled) == 4
    assert counts(pool_datalists(folders[:1], "training", equal=True)) == [7, 0, 0]


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_single_folder_need_not_be_a_list(folders, kind):
    assert pool_datalists(kind(folders[1]), "training") == pool_datalists([folders[1]], "training")
    assert pool_datalists(kind(folders[1] / "datalist.json"), "training", equal=True)[0]["case_id"] == "b0"


def test_empty_validation_sections_are_accepted(folders):
    assert pool_datalists(folders, "validation", equal=True) == []


def test_errors_are_those_of_the_datalist(folders, tmp_path):
    with pytest.raises(DataError, match="section test is empty"):
        pool_datalists(folders, "test")
    with pytest.raises(DataError, match="no such file or folder"):
        pool_datalists([folders[0], tmp_path / "missing"], "training")


def test_from_a_config(folders):
    parser = ConfigParser(
        {
            "imports": ["$from s3net_monai.data.pool import pool_datalists"],
            "dataset_dir": [str(folder) for folder in folders],
            "cases": "$pool_datalists(@dataset_dir, 'training', equal=True)",
        }
    )
    parser.get_parsed_content("imports")
    assert counts(parser.get_parsed_content("cases")) == [7, 8, 7]


def test_no_folder_is_refused():
    with pytest.raises(DataError, match="no data folder given"):
        pool_datalists([], "training")
