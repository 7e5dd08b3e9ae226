"""Identifiers in DICOM headers, and their removal from texts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from s3net_monai.inference.discovery import spellings
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.header_values import collect_identifiers
from s3net_monai.inference.discovery.identifiers import IdentifierIndex, redact_message, reported_input, uids_in
from s3net_monai.inference.discovery.identifiers import redact as redact_by
from s3net_monai.inference.discovery.identifying_attributes import COMMON_WORDS
from s3net_monai.inference.discovery.spellings import Identifier
from s3net_monai.utils.pseudonyms import Pseudonyms

PSEUDONYM = re.compile("anon-[0-9a-f]{12}")
SECRET = bytes(range(32))


def redact(text: str, identifiers: frozenset[Identifier]) -> str:
    return redact_by(text, identifiers, Pseudonyms(lambda: SECRET))


def header(**tags: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def item(**tags: object) -> Sequence:
    return Sequence([header(**tags)])


JANE = collect_identifiers(
    header(
        PatientName="Müller^Jane^K^^Dr",
        PatientID="MRN-00417",
        OtherPatientIDs=["A17", "X99"],
        PatientBirthDate="19700131",
        StudyDate="20240203",
        AcquisitionDateTime="20231105101530.250+0100",
        AccessionNumber="ACC5521",
        ReferringPhysicianName="Li^Wei",
        NameOfPhysiciansReadingStudy="Ōta^Ken",
        InstitutionName="St. Anna Hospital",
        PatientTelephoneNumbers="+49 (30) 1234-567",
        PatientAddress="Musterstr. 12^10115 Köln",
        SeriesInstanceUID="1.2.3.4",
        SeriesDescription="Thorax mit KM",
        StudyComments="call 0151 2345678 first",
        RequestAttributesSequence=item(RequestedProcedureID="RP0815"),
        OtherPatientIDsSequence=item(PatientID="OLD2244"),
        ReferencedStudySequence=item(ReferencedSOPInstanceUID="1.2.3.55.66.77.88"),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "Müller^Jane",
        "MÜLLER_JANE",
        "jane müller",
        "Mueller-Jane",
        "muller.jane",
        "MuellerJane",
        "müller",
        "mu\u0308ller",
        "x_jane_y",
        "MRN-00417",
        "mrn 00417",
        "mrn00417",
        "a17",
        "acc5521",
        "ACC_5521",
        "Li",
        "dr_li",
        "wei",
        "ota, ken",
        "st_anna_hospital",
        "19700131",
        "1970-01-31",
        "31.01.1970",
        "01/31/1970",
        "1970_01_31",
        "31-Jan-1970",
        "31. January 1970",
        "31.1.1970",
        "31.01.70",
        "700131",
        "20240203",
        "2024/02/03",
        "3.2.2024",
        "2023-11-05T10:15:30",
        "20231105101530",
        "2023-11-05101530",
        "05.11.2023101530",
        "10-15-30",
        "101530.250",
        "+49 30 1234567",
        "0301234567",
        "030-123-4567",
        "01512345678",
        "musterstr_12",
        "10115_koeln",
        "1.2.3.4",
        "1_2_3_55_66_77_88",
        "CT.1.3.12.2.1107.5.1.4.60064.30000022120808113428000016573",
        "thorax_MIT_km",
        "rp-0815",
        "old2244",
    ],
)
def test_every_spelling_is_replaced(text: str) -> None:
    redacted = redact(f"case {text}: missing slice", JANE)
    assert PSEUDONYM.search(redacted)
    assert redacted.startswith("case ")
    assert redacted.endswith(": missing slice")
    rest = PSEUDONYM.sub("", redacted)
    assert not re.search("m(ü|ue?)ller|jane|wei|ota|anna|mrn|acc|muster|k(oe|ö)ln|thorax|old|rp|\\bli\\b", rest, re.I)
    assert not re.search(r"[1-9]\d", rest)


@pytest.mark.parametrize(
    "text",
    [
        "a list of alive slices",
        "1.2.840.10008.1.2.4.70",
        "anon-123456abcdef",
        "K",
        "2021-01-31",
        "thoracic, mit",
        "1417 a170",
        "dr. x",
    ],
)
def test_other_text_is_kept(text: str) -> None:
    assert redact(text, JANE) == text


def test_a_name_has_one_pseudonym_in_any_order_spelling_and_run() -> None:
    written = ("Müller^Jane", "JANE_MÜLLER", "jane, müller", "MuellerJane", "muller jane")
    redacted = {redact(text, JANE) for text in written}
    assert len(redacted) == 1
    assert redacted == {redact("müller jane", collect_identifiers(header(PatientName="MÜLLER^JANE")))}
    dates = {redact(text, JANE) for text in ("19700131", "31.01.1970", "1970_01_31", "31 Jan 1970", "700131")}
    assert len(dates) == 1


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("Sørensen", "sorensen SOERENSEN Sørensen"),
        ("Wałęsa", "walesa Wałesa WAŁĘSA"),
        ("Y\u0131lmaz", "yilmaz YILMAZ"),
        ("Øbjørnson", "Objornson oebjoernson"),
        ("Ærøskøb", "aeroskob Aeroeskoeb"),
        ("Ångström", "angstrom Angstroem AANGSTROEM"),
        ("Đoković", "dokovic Djokovic"),
        ("Þórsson", "thorsson"),
        ("Großmann", "grossmann"),
        ("Παπαδόπουλος", "παπαδοπουλος ΠΑΠΑΔΟΠΟΥΛΟΣ"),
        ("Сергеёв", "сергеев"),
        ("Гайдёй", "гаидеи"),
    ],
)
def test_letters_have_their_usual_spellings_and_none_is_left_out(name: str, paths: str) -> None:
    found = collect_identifiers(header(PatientName=name))
    assert PSEUDONYM.sub("", redact(paths, found)).strip() == ""


@pytest.mark.parametrize(("name", "text"), [("Øyer", "layer_player yer"), ("Łęga", "omega_1 ga"), ("Đặng", "dong_ng")])
def test_no_rest_of_a_name_spoils_other_words(name: str, text: str) -> None:
    assert redact(text, collect_identifiers(header(PatientName=name))) == text


def test_short_names_are_replaced_where_they_stand_alone() -> None:
    found = collect_identifiers(header(PatientName="Lee^Ian", ReferringPhysicianName="Ann^Eva", StationName="A17B2"))
    for text in ("brian_martian", "evaluation_set", "planning annotated", "Leerdam", "sleepEvaluation", "xa17b2y"):
        assert redact(text, found) == text
    for text in ("ian", "_IAN_", "Ian2", "2ian", "scanIan", "CTIanLee", "IanLee7", "leeian", "EvaScan", "wardA17B2"):
        assert PSEUDONYM.search(redact(text, found)), text
    two = collect_identifiers(header(PatientName="Wu^Li"))
    assert PSEUDONYM.fullmatch(redact("scan_Wu2", two).removeprefix("scan_").removesuffix("2"))
    chinese = collect_identifiers(header(PatientName="王小东"))
    assert PSEUDONYM.sub("", redact("患者王小东左肺", chinese)) == "患者左肺"


def test_a_family_name_of_several_words_is_found_in_one_word() -> None:
    found = collect_identifiers(header(PatientName="van der Berg^Jo"))
    for text in ("vanderberg", "jovanderberg", "vanderbergjo", "VanDerBerg", "berg_van_der"):
        assert not re.search("van|der|berg", PSEUDONYM.sub("", redact(text, found)), re.I), text


def test_a_person_has_one_pseudonym_whatever_the_case_of_the_header() -> None:
    names = ("de Vries^Jan", "DE VRIES^JAN", "De Vries^jan")
    assert len({redact("jan_de_vries", collect_identifiers(header(PatientName=name))) for name in names}) == 1


@pytest.mark.parametrize("stated", ["+491764455667", "00491764455667", "+49 176 4455667", "+49 (0)176 4455667"])
@pytest.mark.parametrize("written", ["01764455667", "0176-44 55 667", "1764455667", "+491764455667"])
def test_a_telephone_number_is_found_without_the_code_of_its_country(stated: str, written: str) -> None:
    found = collect_identifiers(header(PatientTelephoneNumbers=stated))
    assert "4455" not in re.sub(r"\W", "", PSEUDONYM.sub("", redact(f"x_{written}_y", found)))


def test_only_pseudonyms_of_this_run_are_kept() -> None:
    found = collect_identifiers(header(PatientID="123456789012"))
    redacted = redact("anon-123456789012", found)
    assert "123456789012" not in redacted
    assert PSEUDONYM.search(redacted)


def test_without_identifiers_nothing_changes() -> None:
    text = "Müller 1.3.12.2.1107.5.1.4.60064"
    assert redact(text, frozenset()) == text
    assert collect_identifiers(header(PatientName="", PatientID=None, StudyDate="")) == frozenset()


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


def test_uids_of_a_path() -> None:
    found = {identifier.value for identifier in uids_in(Path("/a/1.3.12.2.1107.5/CT.1.3.12.2.1107.6.dcm"))}
    assert found == {"1.3.12.2.1107.5", "1.3.12.2.1107.6"}


def test_reported_input() -> None:
    case = Case(
        case_id="x",
        input=Path("/data/MUELLER_JANE/ct"),
        image=(Path("x"),),
        kind="dicom_series",
        identifiers=JANE,
    )
    assert re.fullmatch("/data/anon-[0-9a-f]{12}/ct", reported_input(case, Pseudonyms(lambda: SECRET)))


def test_a_number_of_bytes_in_a_message_is_its_own() -> None:
    found = collect_identifiers(header(PatientID="131072"))
    case = Case(case_id="x", input=Path("/a/131072 bytes x"), image=(), kind="dicom_series", identifiers=found)
    names = Pseudonyms(lambda: SECRET)
    message = "pixel data truncated, 131072 bytes found"
    assert redact_message(message, case, names) == message
    assert "131072" not in redact_message("131072 pixels", case, names)
    assert redact_message("131072 bytes x: cut", case, names).endswith(" bytes x: cut")
    assert "131072" not in redact_message("131072 bytes x: cut", case, names)  # the name of the folder


def test_the_index_finds_what_a_search_through_all_finds() -> None:
    others = collect_identifiers(header(PatientName="Quax^Udo", PatientID="778899", StudyDate="20190909"))
    index = IdentifierIndex(JANE | others)
    for text in ("/a/jane_muller/x", "/a/1970_01_31", "/b/b030-1234567", "/c/quax", "/c/778899", "/d/09.09.2019", "/e"):
        assert redact(text, index.found_in(text)) == redact(text, JANE | others), text
    assert index.found_in("/e/f") == frozenset()


@pytest.mark.parametrize(
    "text", ["19700131", "31.01.1970", "700131", "31.01.70", "31.1.70", "1-31-70", "31Jan70", "70 January 31", "310170"]
)
def test_the_index_finds_every_spelling_of_a_date(text: str) -> None:
    index = IdentifierIndex(collect_identifiers(header(PatientBirthDate="19700131")))
    assert PSEUDONYM.fullmatch(redact(text, index.found_in(f"/a/{text}.nii.gz")))


def test_a_number_cannot_be_found_without_the_secret() -> None:
    identifiers = collect_identifiers(header(PatientID="4711815"))
    digits = PSEUDONYM.findall(redact("4711815", identifiers))[0].removeprefix("anon-")
    for prefix in ("", "s3net", "s3net\0", "value ", "PatientID"):  # what an unsalted hash could have been made of
        hashes = {name: getattr(hashlib, name)(f"{prefix}4711815".encode()).hexdigest() for name in ("sha256", "md5")}
        assert not any(digits in text for text in hashes.values())
    other = redact_by("4711815", identifiers, Pseudonyms(lambda: bytes(32)))
    assert other != f"anon-{digits}"


def test_patients_have_different_pseudonyms() -> None:
    numbers = [f"{number:07d}" for number in range(100_000, 120_000)]
    names = Pseudonyms(lambda: SECRET)
    assert len({names.of(spellings.meaning_of(number), number) for number in numbers}) == len(numbers)
    assert spellings.meaning_of("1-23") != spellings.meaning_of("12-3")
    assert spellings.meaning_of("12-34") != spellings.meaning_of("34-12")


letters = st.characters(categories=["Lu", "Ll", "Lo", "Nd"], exclude_characters="abcdefABCDEFnoNO0123456789")
tokens = st.text(letters, min_size=6, max_size=12).filter(lambda text: text.casefold() not in COMMON_WORDS)
separators = st.sampled_from(["^", "_", "-", " ", ".", ""])


@settings(max_examples=300, deadline=None)
@given(
    name=st.lists(tokens, min_size=1, max_size=3),
    order=st.randoms(use_true_random=False),
    separator=separators,
    surrounding_text=st.tuples(st.text(max_size=20), st.text(max_size=20)),
    change_case=st.sampled_from([str.lower, str.upper, str.title, str]),
)
def test_no_name_survives(
    name: list[str], order: Random, separator: str, surrounding_text: tuple[str, str], change_case: Callable[[str], str]
) -> None:
    identifiers = collect_identifiers(header(PatientName="^".join(name), PatientID="".join(reversed(name[0])) + "77"))
    assume(identifiers)
    written = list(name)
    order.shuffle(written)
    text = surrounding_text[0] + change_case(separator.join(written)) + surrounding_text[1]
    pseudonyms = Pseudonyms(lambda: SECRET)
    redacted = redact_by(text, identifiers, pseudonyms)
    assert not any(part.casefold() in PSEUDONYM.sub("", redacted).casefold() for part in name)
    assert redact_by(redacted, identifiers, pseudonyms) == redacted


@settings(max_examples=200, deadline=None)
@given(
    day=st.dates(min_value=date(1900, 1, 1), max_value=date(2099, 12, 31)),
    form=st.sampled_from(["%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%Y_%m_%d", "%m/%d/%Y", "%d%m%Y", "%d %b %Y", "%d.%m.%y"]),
    around=st.sampled_from([("", ""), ("CT_", "_01"), ("/data/", "/x"), ("a", "b")]),
)
def test_no_date_survives(day: date, form: str, around: tuple[str, str]) -> None:
    identifiers = collect_identifiers(header(AcquisitionDate=f"{day:%Y%m%d}"))
    redacted = redact(f"{around[0]}{day:{form}}{around[1]}", identifiers)
    assert re.fullmatch(f"{around[0]}{PSEUDONYM.pattern}{around[1]}", redacted)


@settings(max_examples=200, deadline=None)
@given(
    digits=st.text("0123456789", min_size=7, max_size=12).filter(lambda text: text.lstrip("0")[6:]),
    cuts=st.lists(st.integers(1, 11), max_size=3),
    separator=st.sampled_from(["-", " ", "/", ".", "_", ""]),
)
def test_no_number_survives(digits: str, cuts: list[int], separator: str) -> None:
    identifiers = collect_identifiers(header(PatientTelephoneNumbers=digits))
    edges = [0, *sorted({cut for cut in cuts if cut < len(digits)}), len(digits)]
    written = separator.join(digits[first:last] for first, last in pairwise(edges))
    assert not re.search(r"[1-9]\d", PSEUDONYM.sub("", redact(f"tel {written}.nii", identifiers)))


@settings(max_examples=200, deadline=None)
@given(text=st.text(), values=st.lists(st.text(max_size=10), max_size=5))
def test_any_text_and_any_values_are_accepted(text: str, values: list[str]) -> None:
    identifiers = frozenset(found for value in values for found in (*spellings.names(value), *spellings.value(value)))
    pseudonyms = Pseudonyms(lambda: SECRET)
    redacted = redact_by(text, identifiers, pseudonyms)
    assert redact_by(redacted, identifiers, pseudonyms) == redacted
    for one in identifiers:
        if one.kind == "name" and one.value.isascii() and one.value.isalpha() and len(one.value) >= 6:
            assert one.value.lower() not in PSEUDONYM.sub("", redacted).lower()
