"""What the journal knows a log code by: the MESSAGE_ID of its catalogue entry."""

import uuid
from functools import cache

CODES = uuid.UUID("3bb92b5e-6d9c-4d0f-a4d8-6b2a2a0d9b1f")
"""The namespace of message_id(), drawn by uuid4; never to be changed, for catalogues and searches hold its children."""


@cache
def message_id(code: str) -> str:
    """Give the MESSAGE_ID of a code: always the same 32 hexadecimal digits.

    Computed rather than listed: a new code has one without anybody's doing, none is ever given twice, and the daemon
    carries no table.
    """
    return uuid.uuid5(CODES, code).hex
