"""A call of the built-in upstream: nothing leaves the process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tokligence.conversation import Request
from tokligence.pipeline.loopback import answer, events, pause_s
from tokligence.pipeline.relay import JSON, Translated

if TYPE_CHECKING:
    from tokligence.pipeline.exchange import ModelCall


async def call_loopback(call: ModelCall, request: Request) -> None:
    """Answer from the request itself. Raises `upstream.error` if its text asks for one."""
    call.refuse_losses()
    call.trace.attempts += 1
    call.begin()
    pause = pause_s(request)
    if pause:
        call.leave_with_client()
        call.wait()
        await asyncio.sleep(pause)
        call.arrived()
    response = answer(request, call.hub.ids.new, call.trace.started_us // 1_000_000)
    call.lose([*response.losses])
    context = call.context(request)
    if request.stream:
        stream = Translated(call, context, [])
        try:
            stream.write(events(response))
        finally:
            stream.opening.abandon()
        return
    reply = call.codec.write_response(response, context)
    call.lose([*reply.losses])
    call.trace.usage = response.usage
    call.content_seen()
    call.end(200)
    call.sink.whole(200, [*call.head(translated=True, cost=True), JSON], reply.body)
