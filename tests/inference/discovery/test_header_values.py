"""Which values of a DICOM header identify, however they are encoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from s3net_monai.inference.discovery.header_values import collect_identifiers
from s3net_monai.inference.discovery.spellings import Identifier
from tests.helpers.identifying_headers import PSEUDONYM, header, item, redact


@pytest.mark.parametrize(
    "tags",
    [
        {"PatientSex": "M", "PatientID": "7", "StudyID": "42", "PatientWeight": "80", "AccessionNumber": "1"},
        {"StationName": "series", "InstitutionName": "Image", "SeriesDescription": "CT", "StudyDescription": "axial"},
        {"PatientName": "Anonymous", "SmokingStatus": "UNKNOWN", "StudyTime": "000000", "StudyDate": "00000000"},
        {"TimezoneOffsetFromUTC": "+0100", "Modality": "PT", "Manufacturer": "ACME", "SOPClassUID": "1.2.840.10008.5"},
        {"StudyComments": "x" * 2000},
    ],
)
def test_what_identifies_nobody_is_no_identifier(tags: dict[str, str]) -> None:
    assert collect_identifiers(header(**tags)) == frozenset()


def test_private_text_and_repeating_groups_identify_and_private_creators_do_not() -> None:
    dataset = header(Modality="CT")
    block = dataset.private_block(0x0029, "ACME CORP 17", create=True)
    block.add_new(0x01, "LO", "ward quux 9")
    block.add_new(0x02, "PN", "Xylo^Udo")
    block.add_new(0x03, "DS", "12345.5")
    block.add_new(0x04, "UN", b"krumpel\0")
    dataset.add_new(0x6002_4000, "LT", "overlay zwick")
    dataset.add_new(0x5004_2600, "LO", "curve knick")
    found = collect_identifiers(dataset)
    redacted = redact("ward_quux_9 udo krumpel overlay_zwick curve-knick ACME_CORP_17 12345.5", found)
    assert PSEUDONYM.sub("", redacted) == "     ACME_CORP_17 12345.5"


def test_every_value_of_a_file_counts_however_it_is_encoded(tmp_path: Path) -> None:
    from pydicom import dcmread
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ImplicitVRLittleEndian

    dataset = header(
        SpecificCharacterSet="ISO_IR 144",
        PatientName="Иванов^Иван",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2",
        SOPInstanceUID="1.2.3.44.55.66.77",
        RequestAttributesSequence=item(RequestedProcedureDescription="легкие"),
    )
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta.SourceApplicationEntityTitle = "WARD9SCP"
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    found = collect_identifiers(dcmread(tmp_path / "a.dcm"))
    assert PSEUDONYM.sub("", redact("ИВАН_ИВАНОВ легкие ward9scp 1_2_3_44_55_66_77", found)) == "   "


def read_back(tmp_path: Path, dataset: Dataset, *, implicit: bool) -> frozenset[Identifier]:
    """Return the identifiers of a data set as a file holds it."""
    from pydicom import dcmread
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.44.55.66.77"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    return collect_identifiers(dcmread(tmp_path / "a.dcm"))


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    ("vr", "stored"),
    [
        ("LO", "Grünwald"),
        ("LT", "Dr. X\r\nGrünwald\tx\r\nMainz\f"),
        ("UT", "a word, " * 40 + "Grünwald, Mainz"),
        ("UN", "Grünwald".encode("latin-1")),
        ("UN", "Grünwald".encode()),
        ("UN", "Otto^Grünwald".encode("latin-1")),
        ("CS", "GRUNWALD"),
        ("IS", "88123477"),
        ("SQ", None),
    ],
)
@pytest.mark.parametrize("charset", ["ISO_IR 100", ""])
def test_private_values_count_in_any_encoding(
    tmp_path: Path, vr: str, stored: str | bytes | None, charset: str, implicit: bool
) -> None:
    dataset = header(**({"SpecificCharacterSet": charset} if charset else {}))
    block = dataset.private_block(0x0011, "ACME", create=True)
    block.add_new(0x01, vr, item(PatientName="Grunwald^Wim") if stored is None else stored)
    found = read_back(tmp_path, dataset, implicit=implicit)
    path = "88123477" if vr == "IS" else "grunwald"
    assert PSEUDONYM.fullmatch(redact(path, found))


def test_binary_private_values_are_no_text() -> None:
    dataset = header()
    block = dataset.private_block(0x0011, "ACME", create=True)
    block.add_new(0x01, "UN", b"abcdef\1\2\3")
    block.add_new(0x02, "UN", b"\xfe\xff\x00\xe0abcdef")  # begins as a sequence does
    assert collect_identifiers(dataset) == frozenset()


@pytest.mark.parametrize("charset", ["", "ISO_IR 144"])
def test_letters_in_utf_8_are_read_without_a_character_set(charset: str) -> None:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    name = "Müller^Żaneta".encode()
    dataset = header(**({"SpecificCharacterSet": charset} if charset else {}))
    tag = Tag(0x0010_0010)
    dataset[tag] = RawDataElement(tag, "PN", len(name), name, 0, False, True)
    found = collect_identifiers(dataset)
    assert PSEUDONYM.sub("", redact("müller zaneta mueller", found)).strip() == ""
    converted = collect_identifiers(header(PatientName=name.decode("latin-1")))
    assert PSEUDONYM.sub("", redact("müller zaneta mueller", converted)).strip() == ""


@pytest.mark.parametrize("length", [5000, 9900])
@pytest.mark.parametrize("implicit", [False, True])
def test_parts_and_numbers_of_long_texts_count(tmp_path: Path, length: int, implicit: bool) -> None:
    text = ("filler words " * 1000)[:length] + "; tel 017644556677, Hauptstr. 12"
    found = read_back(tmp_path, header(ImageComments=text), implicit=implicit)
    assert PSEUDONYM.sub("", redact("017644556677 hauptstr_12", found)).strip() == ""
