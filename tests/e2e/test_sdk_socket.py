"""The Responses protocol over one WebSocket, by OpenAI's SDK and by hand, with a Claude model behind."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.daemon import Daemon
from tests.e2e.samples import CITY, CLAUDE
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.replies import Call, Reply

TOOL: Any = {"type": "function", "name": "weather", "parameters": CITY, "strict": False}


def opened(gateway: Daemon, path: str = "/v1/responses") -> ClientConnection:
    return connect(gateway.url.replace("http", "ws", 1) + path)


def said(socket: ClientConnection, **fields: Any) -> list[dict[str, Any]]:
    """The events of one response, to its terminal or error event."""
    socket.send(json.dumps({"type": "response.create", "model": CLAUDE, **fields}))
    events = []
    while not events or events[-1]["type"] not in ("response.completed", "response.failed", "error"):
        events.append(json.loads(socket.recv(timeout=20)))
    return events


def test_the_sdk_talks_over_one_socket(openai_sdk: openai.OpenAI) -> None:
    with openai_sdk.responses.connect() as connection:
        for question in ("hello", "again"):
            connection.response.create(model=CLAUDE, input=question)
            for event in connection:
                if event.type == "response.completed":
                    assert event.response.output_text == f"You said: {question}"
                    break


def test_a_response_that_is_not_stored_can_be_followed_on_its_own_socket_only(
    gateway: Daemon, anthropic_upstream: Anthropic
) -> None:
    anthropic_upstream.script(Reply([Call("weather", {"city": "Rome"}, id="toolu_1")]))
    with opened(gateway) as socket:
        first = said(socket, input="go", tools=[TOOL], store=False)[-1]["response"]
        output = [{"type": "function_call_output", "call_id": "toolu_1", "output": "sunny"}]
        second = said(socket, input=output, tools=[TOOL], store=False, previous_response_id=first["id"])
        assert second[-1]["type"] == "response.completed"
        assert [m["role"] for m in anthropic_upstream.last.json["messages"]] == ["user", "assistant", "user"]
    with opened(gateway) as other:
        (refused,) = said(other, input="more", previous_response_id=first["id"])
        assert (refused["status"], refused["error"]["code"]) == (400, "previous_response_not_found")


def test_a_turn_can_be_prepared_without_asking_the_model(
    gateway: Daemon, anthropic_upstream: Anthropic
) -> None:
    with opened(gateway) as socket:
        before = len(anthropic_upstream.calls())
        prepared = said(socket, input="My name is Ada.", store=False, generate=False)
        assert [event["type"] for event in prepared] == ["response.created", "response.completed"]
        assert len(anthropic_upstream.calls()) == before
        response = prepared[-1]["response"]
        assert response["output"] == []
        said(socket, input="hello", store=False, previous_response_id=response["id"])
        assert "My name is Ada." in json.dumps(anthropic_upstream.last.json["messages"])


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("no json", 400),
        ("[]", 400),
        ('{"type":"response.steer"}', 400),
        ('{"type":"response.create","model":"claude-sonnet-4-5","background":true,"input":"x"}', 400),
        ('{"type":"response.create","model":"nobody-knows-it","input":"x"}', 404),
        ('{"type":"response.create","model":"claude-sonnet-4-5","input":5}', 400),
        ('{"type":"response.create","type":"response.create","model":"claude-sonnet-4-5","input":"x"}', 400),
        ("[" * 20_000, 400),
    ],
)
def test_a_bad_message_gets_an_error_event_and_the_socket_goes_on(
    gateway: Daemon, message: str, status: int
) -> None:
    with opened(gateway) as socket:
        socket.send(message)
        error = json.loads(socket.recv(timeout=20))
        assert (error["type"], error["status"]) == ("error", status)
        assert said(socket, input="hello")[-1]["type"] == "response.completed"


def test_an_upstreams_error_is_an_event(gateway: Daemon, anthropic_upstream: Anthropic) -> None:
    anthropic_upstream.script(replies.Failure(429))
    with opened(gateway) as socket:
        assert said(socket, input="hello")[-1]["status"] == 429


def test_a_client_that_leaves_ends_the_upstreams_call(gateway: Daemon, anthropic_upstream: Anthropic) -> None:
    gate = replies.Gate()
    reply = Reply([replies.Text("one two three four")], wire=replies.Wire(gates={6: gate}))
    anthropic_upstream.script(reply)
    with opened(gateway) as socket:
        socket.send(json.dumps({"type": "response.create", "model": CLAUDE, "input": "hello"}))
        socket.recv(timeout=20)
        gate.wait()
    assert anthropic_upstream.disconnected.wait(20)
    gate.open()


def test_no_other_path_opens_a_socket(gateway: Daemon) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(gateway, "/v1/chat/completions"):
        pass
    assert refused.value.response.status_code in (405, 426)


def test_a_drain_closes_a_socket_that_waits(tmp_path: Any) -> None:
    from tests.e2e.daemon import running

    with (
        running(tmp_path, {}) as gateway,
        connect(gateway.url.replace("http", "ws", 1) + "/v1/responses") as socket,
    ):
        gateway.stop()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
