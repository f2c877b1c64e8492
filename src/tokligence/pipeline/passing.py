"""What passes of a message's headers, decided once for each sequence of names. Pure but for what it remembers.

Clients and upstreams send the same names in the same order, time after time; only the values differ. So the rules of
`headers` are asked once, and give positions. Often the values are the same too: then what was made of them is.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Final

from msgspec import Struct

from tokligence.pipeline import headers as rules
from tokligence.pipeline.contract import Headers
from tokligence.pipeline.headers import NAME_LIMIT
from tokligence.upstream.answer import Head
from tokligence.upstream.client import HeaderLines, header_lines

SHAPES: Final = 256
"""Sequences of names that are remembered, of requests and of answers; strangers choose them."""
LONGEST: Final = 4096
"""Bytes of the names of one that is remembered, all together."""

Field = tuple[bytes, bytes]
Names = tuple[bytes, ...]

_name_of: Final = itemgetter(0)
_UPSTREAM_ID: Final = b"x-tokligence-upstream-request-id"
_CONNECTION: Final = b"connection"
_NAMES_NONE: Final = frozenset({b"keep-alive", b"close"})
"""Values of `Connection` that name no other header."""
_SEVERAL: Final = -2
_TYPE: Final = b"content-type"
_CODING: Final = b"content-encoding"
_NO_CODING: Final = frozenset({b"", b"identity"})
_EVENT_STREAM: Final = b"text/event-stream"


class Seen:
    """What the pipeline asks about the head of an upstream's answer. `fault`: why the answer cannot be used; `request_id`:
    as of `headers.upstream_request_id`."""

    __slots__ = ("_for_client", "_for_translated", "_headers", "_shape", "_status", "fault", "request_id")

    def __init__(self, head: Head) -> None:
        self._headers = headers = head.headers
        self._shape = shape = _shape_of_answer(headers)
        self._status = status = head.status
        self._for_client: Headers | None = None
        self._for_translated: Headers | None = None
        self.request_id = None if shape.request_id < 0 else shape.id_in(headers)
        self.fault: str | None = None
        if shape.coding >= 0:
            coding = headers[shape.coding][1]
            if coding.strip().lower() not in _NO_CODING:
                named = coding.decode("latin-1")[:40]
                self.fault = f"its body is encoded ({named}), which was not asked for"
        if 300 <= status < 400:
            self.fault = f"it redirects (status {status}), which is not followed"

    @property
    def event_stream(self) -> bool:
        at = self._shape.kind
        return self._status == 200 and at >= 0 and self._headers[at][1].lower().startswith(_EVENT_STREAM)

    def for_client(self) -> Headers:
        """As of `headers.for_client`; not to be changed, like the next."""
        passed = self._for_client
        if passed is None:
            self._for_client = passed = self._shape.for_client(self._headers)
        return passed

    def for_translated_client(self) -> Headers:
        """As of `headers.for_translated_client`."""
        passed = self._for_translated
        if passed is None:
            self._for_translated = passed = self._shape.for_translated_client(self._headers)
        return passed


def seen(head: Head) -> Seen:
    """Kept with the head, which is the same one again where an upstream repeats itself."""
    found = head.seen
    if type(found) is not Seen:
        head.seen = found = Seen(head)
    return found


class Shape(Struct, frozen=True):
    """Positions of headers; -1 for one that is not there. `connection`: of the header by which others may be named, and
    then `passing` does not hold. `request_id`, `kind`, `coding`: of an upstream's answer. `passing`: of what passes in the same
    protocol; `translated`: of what a client of another protocol gets."""

    connection: int
    passing: tuple[int, ...]
    request_id: int = -1
    kind: int = -1
    coding: int = -1
    translated: tuple[int, ...] = ()

    def id_in(self, headers: Headers) -> str | None:
        """As `headers.upstream_request_id`."""
        at = self.request_id
        return None if at < 0 else headers[at][1][:NAME_LIMIT].decode("latin-1")

    def for_translated_client(self, headers: Headers) -> Headers:
        """As the function of this name in `headers`."""
        passed = [headers[at] for at in self.translated] if self.translated else []
        at = self.request_id
        if at >= 0:
            passed.append((_UPSTREAM_ID, headers[at][1][:NAME_LIMIT]))
        return passed

    def for_client(self, headers: Headers) -> Headers:
        """As the function of this name in `headers`."""
        if self.names_others(headers):
            return rules.for_client(headers)
        return [headers[at] for at in self.passing]

    def names_others(self, headers: Headers) -> bool:
        at = self.connection
        return at == _SEVERAL or (at >= 0 and headers[at][1].lower() not in _NAMES_NONE)


_answers: Final[dict[Names, Shape]] = {}
_requests: Final[dict[Names, Shape]] = {}


def _shape_of_answer(headers: Headers) -> Shape:
    names = tuple(map(_name_of, headers))
    return _answers.get(names) or _remember(_answers, names, _read_answer(names))


def for_upstream(headers: Headers) -> Headers:
    """As the function of this name in `headers`."""
    names = tuple(map(_name_of, headers))
    shape = _requests.get(names) or _remember(_requests, names, _read_request(names))
    if shape.names_others(headers):
        return rules.for_upstream(headers)
    return [headers[at] for at in shape.passing]


def lines_of(passing: Headers, defaults: tuple[Field, ...]) -> HeaderLines:
    """`passing` and those of the defaults whose names are not among them, as they are sent. Raises as `header_lines`."""
    names = set(map(_name_of, passing))
    return header_lines([*passing, *(field for field in defaults if field[0] not in names)])


def _read_answer(names: Names) -> Shape:
    request_id = next((at for at, name in enumerate(names) if name in rules.REQUEST_ID_HEADERS), -1)
    return Shape(
        connection=_connection(names),
        passing=_positions(names, rules.for_client),
        request_id=request_id,
        kind=_first(names, _TYPE),
        coding=_first(names, _CODING),
        translated=_positions(names, rules.for_translated_client),
    )


def _read_request(names: Names) -> Shape:
    return Shape(connection=_connection(names), passing=_positions(names, rules.for_upstream))


def _connection(names: Names) -> int:
    return _SEVERAL if names.count(_CONNECTION) > 1 else _first(names, _CONNECTION)


def _first(names: Names, name: bytes) -> int:
    return names.index(name) if name in names else -1


def _positions(names: Names, rule: Callable[[Headers], Headers]) -> tuple[int, ...]:
    """Of those that the rule lets pass, asked with their positions for values."""
    asked = [(name, b"close" if name == _CONNECTION else str(at).encode()) for at, name in enumerate(names)]
    return tuple(int(value) for name, value in rule(asked) if name != _UPSTREAM_ID)


def _remember(shapes: dict[Names, Shape], names: Names, shape: Shape) -> Shape:
    if sum(map(len, names)) <= LONGEST:
        if len(shapes) >= SHAPES:
            shapes.clear()
        shapes[names] = shape
    return shape
