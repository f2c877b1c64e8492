"""One field of a multipart/form-data body, by where it stands (RFC 7578; delimiters: RFC 2046, section 5.1.1)."""

from __future__ import annotations

import re
from typing import Final

_BOUNDARY: Final = re.compile(rb'(?i);\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))')
_DISPOSITION: Final = re.compile(rb"(?im)^content-disposition:\s*form-data\s*;(.*)$")
_NAME: Final = re.compile(rb'(?i)(?:^|;)\s*name="?([^";]*)"?')
_FILE: Final = re.compile(rb"(?i);\s*filename")

Span = tuple[int, int]


def field_span(body: bytes, content_type: bytes, name: bytes) -> Span | None:
    """From where to where the value of the first field `name` stands; None if there is none, or if the body is no form.
    A file of that name is no field."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return None
    delimiter = b"--" + (found[1] or found[2])
    head = body.find(delimiter)
    while head >= 0:
        head += len(delimiter)
        start = body.find(b"\r\n\r\n", head)
        end = body.find(b"\r\n" + delimiter, start + 4)
        if start < 0 or end < 0:
            return None
        if _names(body[head:start], name):
            return start + 4, end
        head = end + 2
    return None


def _names(head: bytes, name: bytes) -> bool:
    found = _DISPOSITION.search(head)
    if found is None or _FILE.search(found[1]):
        return False
    given = _NAME.search(found[1])
    return given is not None and given[1] == name
