"""What a DICOMweb server may cost, with reasons; every limit is applied while an answer is read, not after it.

An archive that is broken or hostile may answer without end. Bodies go to a temporary file, and listings are parsed from
it in small blocks, so that memory does not grow with an answer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Allowance:
    """What one answer may cost.

    Attributes:
        size: bytes of its body.
        seconds: from the request to the last byte, with reconnections and without pauses that the server asks for.
    """

    size: int
    seconds: float


CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 120.0  # without a byte; an archive may load a study from slow storage first

LISTING = Allowance(64 * 2**20, 300.0)  # Orthanc sends 2 KB per image: 40 MB for the 20,000 of ``STUDY_INSTANCES``
INSTANCE = Allowance(2**31, 1800.0)  # an enhanced CT of 2,000 slices has 1 GiB: ten minutes at 2 MB/s
STORE = Allowance(2**20, 1800.0)  # the answer to a stored mask has some kilobytes; sending the mask counts as well

ALL_PAGES = Allowance(128 * 2**20, 900.0)  # of one listing: twice the largest page, and 1 s for each of 900 pages
PAGES = 1000  # of one listing; servers send 100 or more items per page
ITEM_DEPTH = 64  # of arrays and objects in a listing; sequences within sequences take some ten
VALUE_BYTES = 2**20  # of one value in a listing
TEXT_LENGTH = 64  # characters of a UID, the longest value that is read from a listing

SERIES = 2000  # of one study; the largest have some hundreds
STUDY_INSTANCES = 20_000
STUDY_BYTES = 50 * 2**30
STUDY_SECONDS = 12 * 3600.0  # 50 GiB at 1.2 MB/s

RETRIES = 3
RETRY_STATUSES = (429, 502, 503, 504)  # HTTP statuses after which a request is repeated
BUSY_STATUSES = (429, 503)  # of these, those of a server that has not begun with the request (RFC 9110, RFC 6585)
BACKOFF_SECONDS = 0.3  # doubled with each try, if the server does not say when to come back
PAUSE_SECONDS = 60.0  # the longest Retry-After that is waited for
ALL_PAUSES_SECONDS = 600.0  # of all requests to a server together

MEMORY_BYTES = 8 * 2**20  # of a body that is kept in memory; more goes to a temporary file
CHUNK_BYTES = 2**16
