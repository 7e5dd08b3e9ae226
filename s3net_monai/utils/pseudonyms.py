"""Pseudonyms: what stands in a report for a value that identifies a patient.

A pseudonym is ``anon-`` and twelve hexadecimal digits of an HMAC-SHA-256 of the value. Without its key, the secret,
nobody can test whether a value is behind a pseudonym, however few values are possible. Of a million values, two have
the same pseudonym with a probability of 0.2 % (n^2 / 2^49 for n values).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import cached_property

from s3net_monai.utils.secret import secret_of_user

NUM_DIGITS = 12
PSEUDONYM = f"anon-[0-9a-f]{{{NUM_DIGITS}}}"


class Pseudonyms:
    """The pseudonyms of a run.

    Attributes:
        originals: by pseudonym, the value that it stands for, as it was found first.

    Args:
        load_secret: called where the first pseudonym is made.
    """

    def __init__(self, load_secret: Callable[[], bytes] = secret_of_user) -> None:
        self._load_secret = load_secret
        self.originals: dict[str, str] = {}

    @cached_property
    def _secret(self) -> bytes:
        return self._load_secret()

    def of(self, meaning: str, found: str) -> str:
        """Return the pseudonym of a value.

        Args:
            meaning: the value without regard to its spelling, as ``spellings.meaning_of`` returns it.
            found: the value as it was found.
        """
        pseudonym = f"anon-{self._digits(f'value {meaning}')}"
        self.originals.setdefault(pseudonym, found)
        return pseudonym

    @property
    def check(self) -> str:
        """A value by which two runs tell whether they have the same secret; empty where none was needed."""
        return self._digits("check") if self.originals else ""

    def _digits(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(errors="surrogatepass"), "sha256").hexdigest()[:NUM_DIGITS]
