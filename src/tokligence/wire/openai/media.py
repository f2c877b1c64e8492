"""Files in data URLs, as OpenAI takes pictures and documents."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from tokligence.conversation import Base64Source, TextSource, UrlSource
from tokligence.errors import GatewayError

_DATA_URL: Final = re.compile(r"data:([^;,\s]+)(?:;[^;,]*)*?;base64,", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_EDGE: Final = 1024  # characters of base64 that are looked at on each side: the vendor reads the whole anyway


def read_url(url: str, path: str) -> UrlSource | Base64Source:
    if url[:5].lower() != "data:":
        return UrlSource(url)
    head = _DATA_URL.match(url)
    if head is None:
        raise GatewayError(
            "request.invalid_field", path=path, reason="expected data:MEDIA_TYPE;base64,DATA or an address"
        )
    return Base64Source(head.group(1).lower(), checked_base64(url[head.end() :], path))


def checked_base64(data: str, path: str) -> str:
    """Base64, as far as it can be seen from both ends: 2 ms a megabyte for all of it would be too dear."""
    well = _BASE64.fullmatch(data[:_EDGE].rstrip("=")) and _BASE64.fullmatch(data[-_EDGE:])
    if not data or not well:
        raise GatewayError("request.invalid_field", path=path, reason="the data is not base64")
    return data


def as_text(source: Base64Source) -> TextSource | None:
    """A text file is text: other protocols take base64 for PDF only."""
    if not source.media_type.startswith("text/"):
        return None
    try:
        return TextSource(base64.b64decode(source.data).decode(), source.media_type)
    except (binascii.Error, UnicodeDecodeError):
        return None
