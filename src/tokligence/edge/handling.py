"""A handler under way: what `asyncio.Task` is for any coroutine, for the one that gives an answer.

A task begins at the loop's next turn, is registered in a weak set and has a name and a result; all of it together
costs more than many a handler. This begins at once, is part of the answer, and keeps what somebody asks for. To what
runs inside it is the current task, by the functions that asyncio documents for this ("Extending",
docs.python.org/3/library/asyncio-extending.html, read 2026-11-24), so `asyncio.timeout` and whoever wants to cancel it
find what they need.
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Protocol

from tokligence.edge.answer import ENDED, Answer, Outlet
from tokligence.pipeline.contract import Call, Sink

Handler = Callable[[Call, Sink], Awaitable[None]]
"""Answers one call. A `GatewayError` that it raises before the answer begins is answered as such."""

_enter: Final[Callable[[asyncio.AbstractEventLoop, Any], None]] = _enter_task
_leave: Final[Callable[[asyncio.AbstractEventLoop, Any], None]] = _leave_task
_RETURNED: Final[Any] = object()


class Owner(Outlet, Protocol):
    """The connection that the answer belongs to. `tasks`: handlers that have not returned."""

    tasks: set[Handling]

    def handled(self, handling: Handling, error: BaseException) -> None:
        """`error` escaped the handler."""
        ...


class Handling(Answer):
    """The answer to one call, and the handler that gives it."""

    _outlet: Owner
    _steps: Generator[Any, None, None]
    _waits_for: asyncio.Future[Any] | None = None  # or waited, last
    _cancels: int = 0
    _done: bool = False
    _watched: asyncio.Future[None] | None = None

    def __init__(self, outlet: Owner, path: str, call: Call) -> None:
        """`path`: as it was asked for; the handler may shorten the call's."""
        # Not by `super()`, which would cost more than all the rest.
        self._outlet = outlet
        self._usual = True
        self.path = path
        self.call = call
        self._must_cancel = False

    def begin(self, handler: Handler) -> None:
        """In a callback of the loop or as one, never within a task."""
        outlet = self._outlet
        loop = outlet.loop
        _enter(loop, self)
        try:
            steps = handler(self.call, self).__await__()
            # Not `send`: at the end it would make an exception only for us to catch it.
            awaited = next(steps, _RETURNED)
        except BaseException as error:  # noqa: BLE001 - the owner judges it
            _leave(loop, self)
            self._end(error)
            return
        _leave(loop, self)
        if awaited is not _RETURNED:
            self._steps = steps
            outlet.tasks.add(self)
            self._wait(awaited)
        elif self.progress is ENDED:
            self._done = True
        else:
            self._end(None)

    def begin_soon(self, handler: Handler) -> None:
        """At the loop's next turn."""
        self._outlet.tasks.add(self)
        self._outlet.loop.call_soon(self._begin_late, handler)

    def _begin_late(self, handler: Handler) -> None:
        if self._must_cancel:
            self._end(asyncio.CancelledError())
            return
        self.begin(handler)
        if self._done:
            self._outlet.tasks.discard(self)

    def _step(self, _awaited: asyncio.Future[Any] | None) -> None:
        """Runs the handler until it waits again, or to its end."""
        loop = self._outlet.loop
        _enter(loop, self)
        try:
            if self._must_cancel:
                self._must_cancel = False
                awaited = self._steps.throw(asyncio.CancelledError())
            else:
                awaited = next(self._steps, _RETURNED)
        except StopIteration:  # it took the cancellation for its end
            awaited = _RETURNED
        except BaseException as error:  # noqa: BLE001 - the owner judges it
            _leave(loop, self)
            self._end(error)
            return
        _leave(loop, self)
        if awaited is _RETURNED:
            self._end(None)
        else:
            self._wait(awaited)

    def _wait(self, awaited: asyncio.Future[Any] | None) -> None:
        if awaited is None:  # a bare yield, as of `sleep(0)`
            self._outlet.loop.call_soon(self._step, None)
            return
        awaited._asyncio_future_blocking = False
        awaited.add_done_callback(self._step)
        self._waits_for = awaited
        if self._must_cancel and awaited.cancel():
            self._must_cancel = False

    def _end(self, error: BaseException | None) -> None:
        self._done = True
        self._outlet.tasks.discard(self)
        if error is None and self.progress is not ENDED and not self.gone:
            error = _unfinished()
        if error is not None:
            self._outlet.handled(self, error)
        if self._watched is not None and not self._watched.done():
            self._watched.set_result(None)
        if error is not None and not isinstance(error, Exception | asyncio.CancelledError):
            # Of its own, since uvloop keeps what a transport's callback raises.
            self._outlet.loop.call_soon(_stop_loop, error)

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

    def over(self) -> asyncio.Future[None]:
        """Done when the handler has ended, in whatever way."""
        if self._watched is None:
            self._watched = self._outlet.loop.create_future()
            if self._done:
                self._watched.set_result(None)
        return self._watched


def _unfinished() -> RuntimeError:
    """With its traceback, which is what a log shows of an error."""
    try:
        raise RuntimeError("the handler returned before the end of its answer")
    except RuntimeError as error:
        return error


def _stop_loop(error: BaseException) -> None:
    """What ends a process (`SystemExit`, `KeyboardInterrupt`) ends `run_forever` when a callback raises it."""
    raise error
