"""The usual spellings of letters with marks and of special Latin letters, as file names have them."""

from __future__ import annotations

import unicodedata
from itertools import product

# What is written for a letter that Unicode does not decompose, or that some languages spell out. Letters of one row
# are spelled alike within a name.
_SPELLED = (
    {"ä": ("ae", "a"), "ö": ("oe", "o"), "ü": ("ue", "u")},
    {"å": ("a", "aa")},
    {"ø": ("o", "oe")},
    {"đ": ("d", "dj")},
    {"ð": ("d", "dh")},
    {"æ": ("ae", "a")},
    {"œ": ("oe", "o")},
    # U+0131 is the Turkish i without a dot.
    {"ł": ("l",), "\u0131": ("i",), "þ": ("th",), "ħ": ("h",), "ŧ": ("t",), "ŋ": ("ng",), "ə": ("e",)},
)
_UMLAUTS = {ord(letter): spelled[0] for letter, spelled in _SPELLED[0].items()}


def spellings_of(text: str) -> set[str]:
    """Return a text and its usual spellings: umlauts spelled out, without accents, special letters transliterated.

    No letter is left out: one without a usual spelling, as of Greek or Cyrillic, stays and loses its accents alone.
    """
    text = unicodedata.normalize("NFC", text)
    if text.isascii():
        return {text}
    folded = unicodedata.normalize("NFC", text.casefold())
    used = [row for row in _SPELLED if not row.keys().isdisjoint(folded)]
    spelled = {folded.translate(_UMLAUTS), _without_marks(folded)}
    for choice in product(*(range(max(map(len, row.values()))) for row in used)):
        table = {
            ord(letter): forms[min(place, len(forms) - 1)]
            for row, place in zip(used, choice, strict=True)
            for letter, forms in row.items()
        }
        spelled.add(_without_marks(folded.translate(table)))
    letters = sum(map(str.isalnum, text))
    return {text, *(one for one in spelled if sum(map(str.isalnum, one)) >= letters)}


def _without_marks(text: str) -> str:
    """Return a text without its combining marks (Unicode category Mn)."""
    marks_apart = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(one for one in marks_apart if unicodedata.category(one) != "Mn"))
