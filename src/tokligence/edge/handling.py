"""A handler under way: what `asyncio.Task` is for any coroutine, for the answer to one request.

A task begins at the loop's next turn, is registered in a weak set and has a name and a result; all of it together
costs more than many a handler. This begins at once and keeps what somebody asks for. To what runs inside it is the
current task, by the functions that asyncio documents for this ("Extending", docs.python.org/3/library/asyncio-extending.html,
read 2026-11-24), so `asyncio.timeout` and whoever wants to cancel it find what they need.
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Protocol, cast

from tokligence.edge.answer import Answer
from tokligence.pipeline.contract import Call, Sink

Handler = Callable[[Call, Sink], Awaitable[None]]
"""Answers one call. A `GatewayError` that it raises before the answer begins is answered as such."""

_RETURNED: Final = object()


class Owner(Protocol):
    """The connection that the answer belongs to."""

    def handled(self, handling: Handling, error: BaseException | None) -> None:
        """The handler has returned, or `error` escaped it."""
        ...


class Handling:
    """`begin` starts it, in a callback of the loop or as one, never within a task."""

    __slots__ = (
        "_cancels",
        "_done",
        "_handler",
        "_loop",
        "_must_cancel",
        "_owner",
        "_steps",
        "_waits_for",
        "_watched",
        "answer",
        "call",
        "path",
    )

    _steps: Generator[Any, None, None]

    def __init__(
        self,
        owner: Owner,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        call: Call,
        answer: Answer,
    ) -> None:
        self._owner = owner
        self._loop = loop
        self._handler = handler
        self.call = call
        self.answer = answer
        self.path = call.path  # as it was asked for: a handler may shorten the call's
        self._waits_for: asyncio.Future[Any] | None = None
        self._must_cancel = False
        self._cancels = 0
        self._done = False
        self._watched: asyncio.Future[None] | None = None

    def begin(self) -> None:
        try:
            self._steps = self._handler(self.call, self.answer).__await__()
        except Exception as error:  # noqa: BLE001 - the owner judges it
            self._end(error)
        else:
            self._step(None)

    def _step(self, _awaited: asyncio.Future[Any] | None) -> None:
        """Runs the handler until it waits again, or to its end."""
        self._waits_for = None
        loop = self._loop
        _enter_task(loop, cast("asyncio.Task[None]", self))
        try:
            if self._must_cancel:
                self._must_cancel = False
                awaited = self._steps.throw(asyncio.CancelledError())
            else:
                # Not `send`: at the end it would make an exception only for us to catch it.
                awaited = next(self._steps, _RETURNED)
        except StopIteration:  # it took the cancellation for its end
            awaited = _RETURNED
        except BaseException as error:  # noqa: BLE001 - the owner judges it
            _leave_task(loop, cast("asyncio.Task[None]", self))
            self._end(error)
            return
        _leave_task(loop, cast("asyncio.Task[None]", self))
        if awaited is _RETURNED:
            self._end(None)
        elif awaited is None:  # a bare yield, as of `sleep(0)`
            loop.call_soon(self._step, None)
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._step)
            self._waits_for = awaited
            if self._must_cancel and awaited.cancel():
                self._must_cancel = False

    def _end(self, error: BaseException | None) -> None:
        self._done = True
        self._owner.handled(self, error)
        if self._watched is not None and not self._watched.done():
            self._watched.set_result(None)
        if error is not None and not isinstance(error, Exception | asyncio.CancelledError):
            # Of its own, since uvloop keeps what a transport's callback raises.
            self._loop.call_soon(_stop_loop, error)

    # --- what others ask of a task

    def cancel(self, msg: object = None) -> bool:
        if self._done:
            return False
        self._cancels += 1
        if self._waits_for is None or not self._waits_for.cancel(msg):
            self._must_cancel = True
        return True

    def cancelling(self) -> int:
        return self._cancels

    def uncancel(self) -> int:
        self._cancels = max(0, self._cancels - 1)
        return self._cancels

    def done(self) -> bool:
        return self._done

    def ended(self) -> asyncio.Future[None]:
        """Done when the handler has ended, in whatever way."""
        if self._watched is None:
            self._watched = self._loop.create_future()
            if self._done:
                self._watched.set_result(None)
        return self._watched


def _stop_loop(error: BaseException) -> None:
    """What ends a process (`SystemExit`, `KeyboardInterrupt`) ends `run_forever` when a callback raises it."""
    raise error
