"""Marks: a value of its own for every attribute of the DICOM confidentiality profile, and how a path repeats it."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

# Values that a rule leaves out: see COMMON_WORDS and docs/segment.md.
EXEMPT = {
    "TimezoneOffsetFromUTC": "one of some forty values, shared by whole countries",
    "PregnancyStatus": "one of four numbers",
    "GPSAltitudeRef": "one of two numbers",
    "DigitalSignaturesSequence": "behind the pixels, which are not read for it",
    "DataSetTrailingPadding": "behind the pixels, which are not read for it",
}


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


def profile_marks() -> list[Mark]:
    """Return a mark for every attribute of the profile that a file may hold."""
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
        if value >> 16 and name_of(value) not in EXEMPT:  # group 0000 is of messages, and in no file
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


def spelled(written: str) -> re.Pattern[str]:
    """Return an expression for a mark with any separators; the digits of a hash or of a decimal fraction are none."""
    letters = re.sub(r"[\W_]", "", written).casefold()
    return re.compile(r"(?<![0-9a-f.])" + r"[\W_]{0,2}".join(letters))


def name_of(tag: int) -> str:
    """Return the keyword of an attribute, or its tag where it has none."""
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
