"""Problems of every kind are found and reported in one message."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from data_prep.checks import check_cases
from data_prep.phantom_dicom import write_ct_series
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.utils.errors import DataError


def write_image(path, value=0, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)
    return path


def write_volume(path, affine, shape=(5, 4, 3)):
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def good(tmp_path):
    return [
        DatalistCase(
            case_id="a",
            patient="a",
            split="training",
            image=write_image(tmp_path / "a.png", 1),
            label=write_image(tmp_path / "ma.png"),
        ),
        DatalistCase(
            case_id="b",
            patient="b",
            split="test",
            image=write_image(tmp_path / "b.png", 2),
            label=write_image(tmp_path / "mb.png"),
        ),
        DatalistCase(case_id="c", patient="c", split="training", image=write_image(tmp_path / "c.png", 3)),
    ]


def problem_lines(cases, num_classes=2):
    with pytest.raises(DataError) as caught:
        check_cases(cases, num_classes)
    head, *lines = str(caught.value).split("\n")
    assert head.startswith(f"{len(lines)} problem")
    return lines


def test_good_cases_pass(good):
    check_cases(good, num_classes=2)


def test_truncated_image(good, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(tmp_path / "d.png")
    (tmp_path / "d.png").write_bytes((tmp_path / "d.png").read_bytes()[:600])
    (line,) = problem_lines([*good, DatalistCase(case_id="d", patient="d", split="training", image=tmp_path / "d.png")])
    assert line.startswith(f"{tmp_path / 'd.png'}: not readable")
    assert "copy it again" in line


def test_unreadable_volume(good, tmp_path):
    (tmp_path / "d.nii.gz").write_bytes(b"not gzip")
    (line,) = problem_lines(
        [*good, DatalistCase(case_id="d", patient="d", split="training", image=tmp_path / "d.nii.gz")]
    )
    assert "d.nii.gz: not readable" in line


def test_mask_of_another_size(good, tmp_path):
    image, mask = write_image(tmp_path / "d.png", 9), write_image(tmp_path / "md.png", size=(4, 6))
    (line,) = problem_lines([*good, DatalistCase(case_id="d", patient="d", split="training", image=image, label=mask)])
    assert "md.png: label of 4x6, expected 6x4" in line


def test_missing_mask(good, tmp_path):
    (line,) = problem_lines(
        [
            *good,
            DatalistCase(
                case_id="d",
                patient="d",
                split="training",
                image=write_image(tmp_path / "d.png", 9),
                label=tmp_path / "md.png",
            ),
        ]
    )
    assert "md.png: no such mask, expected one for" in line


def test_mask_on_another_grid(tmp_path):
    affine = np.diag([-2.0, -3.0, 4.0, 1.0])
    image = write_volume(tmp_path / "ct.nii.gz", affine)
    check_cases(
        [
            DatalistCase(
                case_id="a",
                patient="a",
                split="training",
                image=image,
                label=write_volume(tmp_path / "same.nii.gz", affine),
            )
        ],
        num_classes=60,
    )
    flipped = write_volume(tmp_path / "flipped.nii.gz", np.diag([2.0, -3.0, 4.0, 1.0]))
    (line,) = problem_lines([DatalistCase(case_id="a", patient="a", split="training", image=image, label=flipped)])
    assert "flipped.nii.gz: lies 8 mm off" in line  # 4 steps of 2 mm on the other side of the first voxel


def test_same_pixels_across_splits_in_any_format(good, tmp_path):
    Image.open(tmp_path / "b.png").save(tmp_path / "d.bmp")
    (line,) = problem_lines([*good, DatalistCase(case_id="d", patient="d", split="training", image=tmp_path / "d.bmp")])
    assert "d.bmp: same pixels in training as" in line
    assert "b.png in test" in line
    check_cases([*good, DatalistCase(case_id="d", patient="d", split="test", image=tmp_path / "d.bmp")], 2)


def test_repeated_name_and_shared_patient(good, tmp_path):
    extra = [
        DatalistCase(case_id="a", patient="d", split="training", image=write_image(tmp_path / "d.png", 7)),
        DatalistCase(case_id="e", patient="b", split="training", image=write_image(tmp_path / "e.png", 8)),
    ]
    name, patient = problem_lines([*good, *extra])
    assert "d.png: case a is also" in name
    assert "e.png: patient in training, and in test with" in patient


def test_labels_are_read_as_training_reads_them(tmp_path):
    def case(*values):
        pixels = np.zeros((4, 6), np.uint8)
        pixels[1, 1 : 1 + len(values)] = values
        Image.fromarray(pixels).save(tmp_path / "m.png")
        image = write_image(tmp_path / "a.png", 9)
        return [DatalistCase(case_id="a", patient="a", split="training", image=image, label=tmp_path / "m.png")]

    for value in (1, 2, 255):
        check_cases(case(value), num_classes=2)
    (line,) = problem_lines(case(1, 2), num_classes=2)
    assert line.startswith(f"{tmp_path / 'm.png'}: the values 2 found, expected whole numbers from 0 to 1; renumber")
    check_cases(case(1, 2), num_classes=4)
    assert "the values 255 found, expected whole numbers from 0 to 3" in problem_lines(case(255), num_classes=4)[0]


def test_the_label_of_a_series_names_its_folder(tmp_path):
    affine = np.diag([-20.0, -20.0, 20.0, 1.0])
    files = write_ct_series(np.zeros((5, 4, 3), np.int16), affine, tmp_path / "series", case_id="a")
    label = write_volume(tmp_path / "m.nii.gz", affine, shape=(5, 4, 2))
    (line,) = problem_lines(
        [DatalistCase(case_id="a", patient="a", split="training", image=files, label=label)], num_classes=60
    )
    assert "m.nii.gz: label of 5x4x2, expected 5x4x3 as series" in line


def test_all_problems_come_in_one_message(good, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "mb.png").unlink()
    write_image(tmp_path / "c.png", 2)
    lines = problem_lines(good)
    assert len(lines) == 3
    assert "a.png: not readable" in lines[0]
    assert "mb.png: no such mask" in lines[1]
    assert "c.png: same pixels" in lines[2]
