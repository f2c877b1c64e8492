"""What `logging` and the event loop have to tell, in the gateway's log."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.edge.peer import Edge, until
from tokligence.edge.bridge import Bridge, bridged, place_of
from tokligence.signals.log import Log


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def lines(log: Log) -> list[dict[str, Any]]:
    log.flush()
    return [json.loads(line) for line in log.path.read_text().splitlines()]


async def test_a_warning_of_another_thread_is_logged(edge: Edge, log: Log) -> None:
    with bridged(log):
        ledger = logging.getLogger("tokligence.ledger")
        threading.Thread(target=lambda: ledger.warning("the database %s", "is back")).start()
        await until(lambda: lines(log))
    (line,) = lines(log)
    assert (line["level"], line["event"], line["source"]) == ("warning", "internal", "tokligence.ledger")
    assert line["message"] == "the database is back"


async def test_an_exception_is_named_by_type_and_place_never_by_its_text(edge: Edge, log: Log) -> None:
    with bridged(log):
        try:
            raise ValueError("what was said")
        except ValueError:
            logging.getLogger("tokligence").exception("failed")
        await until(lambda: lines(log))
    (line,) = lines(log)
    assert line["level"] == "error"
    assert line["error"] == "ValueError"
    assert line["where"].startswith("test_bridge.py:")
    assert "what was said" not in json.dumps(line)


async def test_less_than_a_warning_is_not_logged(edge: Edge, log: Log) -> None:
    with bridged(log):
        logging.getLogger("tokligence").info("nothing")
        await asyncio.sleep(0)
    assert not lines(log)


async def test_what_fails_in_the_loop_is_logged(edge: Edge, log: Log) -> None:
    def broken() -> None:
        raise KeyError("what was said")

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    with bridged(log):
        loop.call_soon(broken)
        await until(lambda: lines(log))
        loop.call_exception_handler({"message": "without an exception"})
    assert loop.get_exception_handler() is before
    failed, told = lines(log)
    assert (failed["source"], failed["error"]) == ("asyncio", "KeyError")
    assert "what was said" not in json.dumps(failed)
    assert told["message"] == "without an exception"


async def test_afterwards_nothing_is_bridged(edge: Edge, log: Log) -> None:
    with bridged(log):
        pass
    assert not any(isinstance(handler, Bridge) for handler in logging.getLogger("tokligence").handlers)


def test_when_the_loop_has_ended_the_line_is_written_at_once(log: Log) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    Bridge(log, loop).emit(logging.makeLogRecord({"name": "x", "levelno": logging.WARNING, "msg": "late"}))
    assert lines(log)[0]["message"] == "late"


def test_a_place_names_the_innermost_frames_first() -> None:
    def inner() -> None:
        raise RuntimeError

    try:
        inner()
    except RuntimeError as error:
        place = place_of(error)
    assert place.split(" < ")[0].endswith(" inner")
    assert place.split(" < ")[1].endswith(" test_a_place_names_the_innermost_frames_first")
