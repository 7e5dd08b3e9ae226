"""Marked identifiers: which attributes of the DICOM confidentiality profile reach a report, a name or a printed line.

Every attribute of Table E.1-1 of DICOM PS3.15 that holds text, a date, a time, a number or a UID has a value of its own
in a small series, whose folders, files and descriptions repeat it in one of its spellings.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from data_prep.phantom_dicom import write_ct_series

if TYPE_CHECKING:
    from pydicom import Dataset

    from s3net_monai.inference import Bundle

SHAPE = (16, 16, 3)
SPACING = 5.0  # mm
DERMOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.7"
# Values that a rule leaves out: see COMMON_WORDS and docs/segment.md.
EXEMPT = {
    "TimezoneOffsetFromUTC": "one of some forty values, shared by whole countries",
    "PregnancyStatus": "one of four numbers",
    "GPSAltitudeRef": "one of two numbers",
    "DigitalSignaturesSequence": "behind the pixels, which are not read for it",
    "DataSetTrailingPadding": "behind the pixels, which are not read for it",
}
_FILE_META_GROUP = 0x0002
_PLACES = ("header", "sequence", "description", "VL image")


class Mark(NamedTuple):
    """The marked value of one attribute.

    Attributes:
        tag: 0xGGGGEEEE.
        vr: its value representation.
        value: what the header holds.
        written: how the path or the description repeats it.
    """

    tag: int
    vr: str
    value: str
    written: str


def measure(folder: Path, *, step: int = 1, places: Sequence[str] = _PLACES) -> dict[str, Any]:
    """Run discovery and segmentation with a network that marks nothing, and look for every mark in what they leave.

    Args:
        folder: an empty folder.
        step: only every ``step``-th attribute.
        places: where the marks are put: in the header and in the path of a series; in a sequence and in the path; in
            the header and in the description of a series; in the header and in the path of a VL image.

    Returns:
        "tried" and "wrong" in all, and by place; "leaking", the attributes by place; "exempt", with reasons.
    """
    marks = _marks()[::step]
    kinds: dict[str, dict[str, int]] = {}
    leaking: dict[str, list[str]] = {}
    for place in places:
        tree = folder / place.replace(" ", "_")
        for number, mark in enumerate(marks):
            _WRITERS[place](tree / f"p{number:04d}", mark, number)
        texts = _outputs(tree, folder / f"{tree.name}_out", "skin" if place == "VL image" else "lung")
        found = [_name(mark.tag) for mark in marks if _spelled(mark.written).search(texts)]
        kinds[place] = {"tried": len(marks), "wrong": len(found)}
        leaking[place] = found
    return {
        "tried": sum(kind["tried"] for kind in kinds.values()),
        "wrong": sum(kind["wrong"] for kind in kinds.values()),
        "attributes": len(marks),
        "kinds": kinds,
        "leaking": leaking,
        "exempt": EXEMPT,
    }


def _marks() -> list[Mark]:
    from dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c import ALL_TAGS
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    marks = []
    repeating = {0x5000: (0x5004_2600, "LO"), 0x6000: (0x6002_4000, "LT")}
    for number, tag in enumerate(sorted(ALL_TAGS)):
        if len(tag) == 4:
            if tag[1] == 0x3000:  # overlay data, which is no text
                continue
            value, vr = repeating[tag[0]]
        else:
            value = (tag[0] << 16) + tag[1]
            vr = dictionary_VR(value) if dictionary_has_tag(value) else "LO"
        if value >> 16 and _name(value) not in EXEMPT:  # group 0000 is of messages, and in no file
            marks.append(Mark(value, vr, *_marked_value(vr, number)))
    return marks


def _marked_value(vr: str, number: int) -> tuple[str, str]:
    """Return a value that no other attribute has, and a spelling of it, which changes from number to number."""
    word = _word(number)
    day = date(1931, 1, 1) + timedelta(days=37 * number)
    clock = f"{1 + number % 22:02d}{10 + number // 22 % 49:02d}{10 + number % 47:02d}"
    clocks = (clock, "-".join(re.findall("..", clock)))
    days = [f"{day:{form}}" for form in ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%Y_%m_%d")]
    match vr:
        case "PN":
            return f"Q{word}^V{word}^^Dr", (f"v{word}_q{word}", f"Q{word}V{word}", f"q{word}")[number % 3]
        case "DA":
            return days[0], days[number % 4]
        case "TM":
            return f"{clock}.250", clocks[number % 2]
        case "DT":
            return f"{days[0]}{clock}+0100", days[number % 4] + ("T" if number % 2 else "") + clocks[number % 2]
        case "UI":
            uid = f"1.2.826.0.1.3680043.77.{number + 1000}.{number}"
            return uid, (uid, uid.replace(".", "_"))[number % 2]
        case "AS":
            return f"{100 + number % 900:03d}M", f"{100 + number % 900:03d}m"
        case "DS" | "IS":
            return f"{471_100_000 + 37 * number}", f"{471_100_000 + 37 * number}"
        case "CS" | "AE":
            return f"Q{word}".upper()[:16], f"q{word}"[:16]
        case _ if number % 3 == 0:
            return f"{7_700_000 + 31 * number}", f"{7_700_000 + 31 * number}"
        case _:
            return f"Q{word} v{number}", (f"q{word}-v{number}", f"Q{word}_V{number}")[number % 2]


def _word(number: int) -> str:
    """Return a word without meaning; words of different numbers differ."""
    letters = ""
    for place in range(3):
        letters += "bdfgklmprt"[number // 10**place % 10] + "aeiou"[(number + place) % 5]
    return letters


def _set(dataset: Dataset, mark: Mark) -> None:
    from pydicom import Dataset

    if mark.tag >> 16 == _FILE_META_GROUP:
        dataset.file_meta.add_new(mark.tag, mark.vr, mark.value)
    elif mark.vr == "SQ":
        item = Dataset()
        item.CodeMeaning = mark.value
        dataset.add_new(mark.tag, "SQ", [item])
    else:
        is_binary = mark.vr in ("OB", "UN")
        dataset.add_new(mark.tag, mark.vr, mark.value.encode() if is_binary else mark.value)


def _write_series(folder: Path, mark: Mark | None, study: int, number: int, *, names: str = "", **tags: Any) -> None:
    """Write the slices of one series; ``names`` are the beginnings of the files' names."""
    from pydicom.uid import UID

    for index, dataset in enumerate(_template()):
        dataset.StudyInstanceUID = f"1.2.826.0.1.3680043.88.{study}"
        dataset.SeriesInstanceUID = f"1.2.826.0.1.3680043.88.{study}.{number}"
        dataset.SOPInstanceUID = UID(f"{dataset.SeriesInstanceUID}.{index}")
        dataset.PatientID = ""
        dataset.SeriesNumber = number
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        if mark is not None:
            _set(dataset, mark)
        if mark is not None and mark.tag == 0x0008_0018:  # SOPInstanceUID, which no two slices share
            dataset.SOPInstanceUID = UID(f"{mark.value}.{index}" if index else mark.value)
        folder.mkdir(parents=True, exist_ok=True)
        dataset.save_as(folder / f"{names}{index}.dcm")


def _in_header(root: Path, mark: Mark, number: int) -> None:
    _write_series(root / mark.written, mark, number, 1, names=f"{mark.written}_")
    _write_series(root / "other", None, number, 2, ImageType=["DERIVED", "SECONDARY"])


def _in_sequence(root: Path, mark: Mark, number: int) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset

    item = Dataset()
    item.file_meta = FileMetaDataset()
    _set(item, mark)
    if mark.tag >> 16 == _FILE_META_GROUP:
        item.add_new(0x0008_1155, "UI", mark.value)  # group 0002 is in no sequence: a referenced instance instead
    _write_series(root / mark.written, None, number, 1, RequestAttributesSequence=[item])


def _in_description(root: Path, mark: Mark, number: int) -> None:
    tags = {"SeriesDescription": f"lung {mark.written}", "ProtocolName": f"{mark.written} lung"}
    _write_series(root / "first", mark, number, 1, **tags)
    _write_series(root / "second", mark, number, 2, ImageType=["DERIVED", "SECONDARY"], **tags)


def _in_vl_image(root: Path, mark: Mark, number: int) -> None:
    from pydicom.uid import UID

    dataset = _template()[0]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(DERMOSCOPY)
    dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "XC", "RGB", 3
    dataset.PlanarConfiguration, dataset.PixelRepresentation = 0, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = bytes(SHAPE[0] * SHAPE[1] * 3)
    dataset.PatientID = ""
    dataset.SOPInstanceUID = UID(f"1.2.826.0.1.3680043.99.{number}")
    _set(dataset, mark)
    (root / mark.written).mkdir(parents=True)
    dataset.save_as(root / mark.written / f"{mark.written}.dcm")


_WRITERS: dict[str, Callable[[Path, Mark, int], None]] = dict(
    zip(_PLACES, (_in_header, _in_sequence, _in_description, _in_vl_image), strict=True)
)


def _template() -> list[Dataset]:
    """Return fresh slices of a series of air without any identifier of its own."""
    from pydicom import dcmread

    return [dcmread(io.BytesIO(data)) for data in _template_files()]


@cache
def _template_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        affine = np.diag([SPACING, SPACING, SPACING, 1.0])
        image = np.full(SHAPE, -1000, dtype=np.int16)
        return [path.read_bytes() for path in write_ct_series(image, affine, Path(folder), case_id="x")]


def _outputs(tree: Path, output: Path, task: str) -> str:
    """Return what a run over a tree leaves, except pseudonyms and hashes.

    These are the strings of the report and its page, the names of files, and the printed lines.
    """
    from s3net_monai.inference import Settings, find_cases, run_batch
    from s3net_monai.utils.pseudonyms import Pseudonyms

    printed = io.StringIO()
    pseudonyms = Pseudonyms(lambda: bytes(32))
    bundle = _bundle(task)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        discovery = find_cases([tree], output, modality=bundle.task.modality, pseudonyms=pseudonyms)
        run_batch(
            discovery.cases,
            bundle,
            output,
            settings=Settings(workers=0),
            excluded=discovery.excluded,
            pseudonyms=pseudonyms,
        )
    texts = list(_strings(json.loads((output / "report.json").read_text(encoding="utf-8"))))
    texts += re.findall(r"[^<>]+", (output / "report.html").read_text(encoding="utf-8"))
    texts += [path.name for path in output.iterdir()] + printed.getvalue().splitlines()
    return re.sub(
        "anon-[0-9a-f]{12}|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", " ", "\n\n\n".join(sorted(set(texts))).casefold()
    )


def _bundle(task: str) -> Bundle:
    """Return a bundle that reads as the released ones do, and whose inferer refuses every image by its name."""
    import torch
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

    from s3net_monai.inference import Bundle
    from s3net_monai.io import DicomSeriesReader, DicomVLImageReader
    from s3net_monai.tasks import TASKS

    def inferer(image: Any, network: Any) -> Any:
        raise ValueError(f"no mask of {image.meta['filename_or_obj']}")

    reader: Any = DicomSeriesReader() if task == "lung" else DicomVLImageReader()
    return Bundle(
        task=TASKS[task],
        name="refusal",
        version="1",
        sha256="",
        config_sha256="",
        device=torch.device("cpu"),
        network=torch.nn.Identity(),
        preprocessing=Compose([LoadImaged(keys="image", reader=reader), EnsureChannelFirstd(keys="image")]),
        inferer=inferer,
        postprocessing=Compose([]),
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


def _spelled(written: str) -> re.Pattern[str]:
    """Return an expression for a mark with any separators; the digits of a hash or of a decimal fraction are none."""
    letters = re.sub(r"[\W_]", "", written).casefold()
    return re.compile(r"(?<![0-9a-f.])" + r"[\W_]{0,2}".join(letters))


def _name(tag: int) -> str:
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
