"""The usual model call in as few steps as it takes: a known model, nothing lost, a whole answer with its usage.

It does what `ModelCall` and `relay` do in such a case, with the same functions at its joints. Whatever is not usual it
leaves to them: before anything is booked as if nothing had happened, after that at the point to which it has come. So it
need not know what else can happen, and the tests of the pipeline run on both ways.

    begun ─┬─ None: not usual ────────────────────────> ModelCall.as_ever
           ├─ _echoed: the loopback, all at once
           └─ _exchange: start record, upstream ─┬─ _finish: end record, answer
                                                 └─ not usual ──> ModelCall.guarded, with what is left to do
"""

from __future__ import annotations

from asyncio import current_task
from collections.abc import Awaitable, Callable, Generator
from math import floor
from time import perf_counter
from typing import TYPE_CHECKING, Final

from msgspec import structs

from tokligence.conversation import Request, Text, Usage
from tokligence.errors import GatewayError
from tokligence.ledger.pricing import price
from tokligence.ledger.record import CallEnded, CallStarted, Outcome, UsageSource
from tokligence.pipeline.contract import Headers
from tokligence.pipeline.headers import NAME_LIMIT, usd
from tokligence.pipeline.hub import HOP
from tokligence.pipeline.loopback import plain_answer
from tokligence.pipeline.loopback_call import tell
from tokligence.pipeline.outbound import JSON
from tokligence.pipeline.passing import seen
from tokligence.pipeline.plan import Plan
from tokligence.pipeline.prepare import keep_whole, prepared
from tokligence.pipeline.relay import ANSWER_LIMIT
from tokligence.upstream.answer import Answer
from tokligence.upstream.client import Endpoint, HeaderLines
from tokligence.wire.contract import Codec, ReplyMemory
from tokligence.wire.lower import lowering
from tokligence.wire.registry import FOREIGN

if TYPE_CHECKING:
    from tokligence.pipeline.exchange import ModelCall

NOWHERE: Final = b"\0"
"""No JSON has it in it."""

# Members looked up on their class cost several times as much.
_OK, _EXACT, _ESTIMATED = Outcome.OK, UsageSource.EXACT, UsageSource.ESTIMATED


class _Done:
    """Awaited when all is done already."""

    def __await__(self) -> Generator[None, None, None]:
        return _NOTHING  # exhausted, so that it ends at once


_NOTHING: Generator[None, None, None] = (None for _ in ())
next(_NOTHING, None)
_DONE: Final = _Done()


def begun(call: ModelCall) -> Awaitable[None] | None:
    """The rest of the call; None: it is not a usual one, and nothing has been done."""
    model_call, plans = call.call, call.plans
    kept, fields = model_call.kept, model_call.fields
    if fields is None or HOP in fields or call.array:
        return None
    # A client mostly asks for the model that it asked for last. Whoever reads the request compares.
    plan: Plan | None = None if kept is None else kept.get(plans)
    if plan is None:
        plan = plans.foreseen(call.codec.protocol, model_call.body)
        if plan is None:
            return None
        if kept is not None:
            kept[plans] = plan
    try:
        return _passed(call, plan) if plan.same else _read(call, plan)
    except Exception:  # noqa: BLE001 - it comes again where it is dealt with
        return None


# --- three ways out -------------------------------------------------------------------------------------


def _read(call: ModelCall, plan: Plan) -> Awaitable[None] | None:
    """For requests that are read. `plan`: perhaps that of another model than they ask for."""
    model_call = call.call
    request = call.codec.read_request(model_call.body)
    if request.model != plan.asked:
        plan = call.plans.of(call.codec.protocol, request.model)
        if model_call.kept is not None:
            model_call.kept[call.plans] = plan
        if plan.same:
            return None
    call.plan, call.request, call.target = plan, request, plan.target
    if request.stream or request.losses:
        return None
    if plan.upstream is None:
        return _echoed(call, plan, request)
    return None if plan.provider.way is not None else _translated(call, plan, plan.upstream, request)


def _translated(call: ModelCall, plan: Plan, upstream: Codec, request: Request) -> Awaitable[None] | None:
    if request.max_tokens is None and plan.target.card.max_output_tokens is None:
        request = structs.replace(request, max_tokens=plan.provider.max_tokens)
    request = prepared(call, request, upstream.protocol)
    upstream = lowering(request, upstream)
    written = upstream.write_request(request, plan.target)
    if written.losses:
        return None
    sent = upstream, written.memory
    hub = call.hub
    assert plan.own is not None, "only the loopback is not asked over HTTP"
    return _exchange(call, plan, hub.client.post, plan.own, written.body, hub.hop_lines, sent)


def _passed(call: ModelCall, plan: Plan) -> Awaitable[None] | None:
    codec, body = call.codec, call.call.body
    call.peeked = peek = codec.peek(body)
    if peek.model != plan.asked:
        plan = call.plans.of(codec.protocol, peek.model)
        if call.call.kept is not None:
            call.call.kept[call.plans] = plan
    plain = plan.same and plan.provider.way is None and not peek.stream
    if not plain or body.find(FOREIGN.get(codec.protocol, NOWHERE)) >= 0:
        return None
    model, endpoint = plan.target.model, plan.passed
    assert endpoint is not None, "the loopback is not asked over HTTP"
    sent = codec.splice(body, model=None if model == peek.model else model, ask_usage=False)
    lines = HeaderLines(call.passing_lines(plan) + call.hub.hop_lines)
    call.plan, call.target = plan, plan.target
    return _exchange(call, plan, call.post, endpoint, sent, lines, None)


def _echoed(call: ModelCall, plan: Plan, request: Request) -> Awaitable[None] | None:
    response = plain_answer(request, call.hub.new_id, call.started_us // 1_000_000)
    if response is None or response.usage is None or response.losses:
        return None
    reply = call.codec.write_response(response, call.context(request))
    if reply.losses:
        return None
    _book_start(call, plan)
    try:
        if _finish(call, plan, response.usage, plan.served, 0.0, [JSON], reply.body, translated=True):
            return _DONE
        _open_sent(call, plan, 0.0)
        return call.guarded(tell(call, response, request))
    except Exception as error:  # noqa: BLE001 - who guards the call judges it
        _open_sent(call, plan, 0.0)
        return call.guarded(_raised(error))


# --- over HTTP ------------------------------------------------------------------------------------------


async def _exchange(  # noqa: PLR0917 - by position, which takes a fraction of the time
    call: ModelCall,
    plan: Plan,
    post: Callable[[Endpoint, bytes, HeaderLines], Awaitable[Answer]],
    endpoint: Endpoint,
    body: bytes,
    lines: HeaderLines,
    sent: tuple[Codec, ReplyMemory] | None,
) -> None:
    """`sent`: what the request was written by, None: it is the client's own."""
    try:
        _book_start(call, plan)
    except GatewayError:
        await call.as_ever()
        return
    sink = call.sink
    sink.on_gone(current_task().cancel)  # type: ignore[union-attr,arg-type]  # there is one, and its result is of no use
    began, waited = perf_counter(), None
    try:
        call.answer = answer = await post(endpoint, body, lines)
        waited = perf_counter() - began
        call.seen = head = seen(answer.head)
        whole = answer.body(ANSWER_LIMIT) if answer.status == 200 and head.fault is None else None
        if whole is not None and _deliver(call, plan, sent, whole, waited):
            sink.on_gone(None)
            return
        rest = call.received(answer, sent, whole)
    except BaseException as error:  # noqa: BLE001 - who guards the call judges it
        if waited is None:
            waited = perf_counter() - began
        rest = _raised(error)
    _open_sent(call, plan, waited)
    await call.guarded(rest)


def _deliver(
    call: ModelCall, plan: Plan, sent: tuple[Codec, ReplyMemory] | None, body: bytes, waited: float
) -> bool:
    """Answers the client from the upstream's body; False: something is unusual, and nothing has been done."""
    if sent is None:
        usage, model = call.codec.read_usage(body)
        if usage is None or not usage.exact:
            return False
        served = model[:NAME_LIMIT] if model else plan.served
        return _finish(call, plan, usage, served, waited, call.seen.for_client(), body, translated=False)
    upstream, memory = sent
    response = upstream.read_response(body, memory, plan.target.issuer)
    usage, request = response.usage, call.request
    assert request is not None, "it was read before it was written"
    if usage is None or not usage.exact or response.losses:
        return False
    parts = response.parts
    if len(parts) != 1 or type(parts[0]) is not Text:  # a text proves nothing
        keep_whole(call, response)
    reply = call.codec.write_response(response, call.context(request))
    if reply.losses:
        return False
    headers = [*call.seen.for_translated_client(), JSON]
    served = response.model[:NAME_LIMIT] if response.model else plan.served
    return _finish(call, plan, usage, served, waited, headers, reply.body, translated=True)


# --- booking --------------------------------------------------------------------------------------------


def _book_start(call: ModelCall, plan: Plan) -> None:
    """Raises `gateway.ledger_unavailable`."""
    model_call = call.call
    principal = model_call.principal
    call.hub.meter.book.started(
        CallStarted(
            call.request_id,
            call.started_us,
            model_call.path,
            plan.client_word,
            False,
            plan.asked,
            principal.key_name,
            principal.user,
            principal.team,
        )
    )


def _finish(  # noqa: PLR0917 - by position, which takes a fraction of the time
    call: ModelCall,
    plan: Plan,
    usage: Usage,
    served: str,
    waited: float,
    passed: Headers,
    body: bytes,
    *,
    translated: bool,
) -> bool:
    """Books the end and answers. `passed`: headers besides ours. False: it could not be booked, and is to be tried and
    refused in the way of others."""
    model_call, meter, request_id = call.call, call.hub.meter, call.request_id
    principal, received = model_call.principal, model_call.received
    spent = perf_counter() - received
    latency_us = floor(spent * 1e6)
    overhead_us = max(floor((spent - waited) * 1e6), 0)
    tariff = plan.tariff
    cost = None if tariff is None else price(usage, tariff)
    record = CallEnded(
        request_id,
        call.started_us,
        model_call.path,
        plan.client_word,
        False,
        plan.asked,
        principal.key_name,
        principal.user,
        principal.team,
        plan.word,
        served,
        plan.provider.id,
        None,
        200,
        _OK,
        None,
        1,
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        _EXACT if usage.exact else _ESTIMATED,
        cost,
        None if tariff is None else tariff.date,
        latency_us,
        latency_us,
        None,
        usage.input_audio,
        usage.output_audio,
        usage.web_searches,
        None if call.answer is None else call.seen.request_id,
    )
    try:
        meter.book.ended(record)
    except GatewayError:
        return False
    call.booked = True
    name = request_id.encode()
    headers: Headers = [
        (b"x-tokligence-request-id", name),
        (b"x-tokligence-overhead-us", b"%d" % overhead_us),
        plan.route,
    ]
    if translated:
        headers.append((plan.names_request, name))
    if cost is not None:
        headers.append((b"x-tokligence-cost-usd", usd(cost)))
    headers += passed
    meter.observer.call_ended(record, (), overhead_us)
    call.sink.whole(200, headers, body)
    return True


# --- what is not usual ----------------------------------------------------------------------------------


def _open_sent(call: ModelCall, plan: Plan, waited: float) -> None:
    """Brings the call to where it would be with a request that was sent, for those who go on with it."""
    trace = call.open()
    call.follow(plan)
    trace.model_asked = plan.asked
    trace.attempts = 1
    trace.model_served = plan.target.model
    trace.waited = waited
    trace.ended = call.booked


async def _raised(error: BaseException) -> None:
    raise error
