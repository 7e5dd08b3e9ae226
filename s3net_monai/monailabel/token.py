"""The token of one start of the server."""

from __future__ import annotations

import os
import re
import secrets
import sys

from s3net_monai.utils.printing import print_note, print_result

VARIABLE = "S3NET_LABEL_TOKEN"
_FORM = re.compile(r"[A-Za-z0-9_-]{16,}")
_RANDOM_BYTES = 24


def check_token(token: str) -> str:
    """Return the token.

    Raises:
        ValueError: when it is not 16 or more letters, digits, ``-`` and ``_``.
    """
    if not _FORM.fullmatch(token):
        raise ValueError(f"{VARIABLE}: 16 or more letters, digits, - and _ expected; unset it for a random token")
    return token


if __name__ == "__main__":
    try:
        print_result(check_token(os.environ.get(VARIABLE) or secrets.token_urlsafe(_RANDOM_BYTES)))
    except ValueError as error:
        print_note(error)
        sys.exit(2)
