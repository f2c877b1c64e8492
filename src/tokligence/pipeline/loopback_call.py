"""A call of the built-in upstream: nothing leaves the process."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Final

from tokligence.conversation import Request, Response
from tokligence.pipeline.loopback import answer, events, pause_s
from tokligence.pipeline.outbound import JSON, leave_with_client
from tokligence.pipeline.relay import Translated

if TYPE_CHECKING:
    from tokligence.pipeline.exchange import ModelCall

BATCH: Final = 256
"""Events written at once; between batches the client may catch up and other calls have their turn."""


async def call_loopback(call: ModelCall, request: Request) -> None:
    """Answer from the request itself. Raises `upstream.error` if its text asks for one."""
    call.refuse_losses()
    call.begin()
    pause = pause_s(request)
    if pause or request.stream:
        leave_with_client(call.sink)
    if pause:
        call.wait()
        await asyncio.sleep(pause)
        call.arrived()
    trace = call.trace
    response = answer(request, call.hub.new_id, trace.started_us // 1_000_000)
    if response.losses:
        trace.losses.extend(response.losses)
    if request.stream:
        stream = Translated(call, call.context(request), [])
        pieces = events(response)
        try:
            while not stream.closed:
                stream.write(list(islice(pieces, BATCH)))
                if not stream.closed:
                    await call.sink.drained()
                    await asyncio.sleep(0)
        finally:
            stream.opening.abandon()
        return
    await tell(call, response, request)


async def tell(call: ModelCall, response: Response, request: Request) -> None:
    """The answer, whole."""
    trace = call.trace
    reply = call.codec.write_response(response, call.context(request))
    if reply.losses:
        trace.losses.extend(reply.losses)
    trace.usage = response.usage
    call.content_seen()
    call.end(200)
    headers = call.head(translated=True)
    headers.append(JSON)
    call.sink.whole(200, headers, reply.body)
