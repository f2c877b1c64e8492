"""A whole answer as the stream of events that would have given it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from tokligence.conversation import (
    BlockClosed,
    BlockOpened,
    Closed,
    Finished,
    Opened,
    Part,
    Refusal,
    Response,
    SignatureDelta,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    UsageSeen,
)


def events_of(response: Response) -> Iterator[StreamEvent]:
    """Each block whole: one delta for its text or arguments."""
    yield Opened(response.id, response.model, None, response.created, response.service_tier)
    for index, part in enumerate(response.parts):
        yield from _block(index, part)
    yield Finished(response.finish, response.stop_sequence)
    if response.usage is not None:
        yield UsageSeen(response.usage)
    yield Closed()


def _block(index: int, part: Part) -> Iterator[StreamEvent]:
    match part:
        case Text() | Refusal():
            yield BlockOpened(index, structs.replace(part, text=""))
            yield TextDelta(index, part.text)
        case Thinking():
            yield BlockOpened(index, structs.replace(part, text="", signature=None))
            yield TextDelta(index, part.text)
            if part.signature is not None:
                yield SignatureDelta(index, part.signature)
        case ToolCall():
            yield BlockOpened(index, structs.replace(part, arguments=""))
            yield TextDelta(index, part.arguments)
        case _:
            yield BlockOpened(index, part)
    yield BlockClosed(index)
