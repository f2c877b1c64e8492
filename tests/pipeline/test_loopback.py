import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.conversation import (
    Audio,
    Base64Source,
    BlockClosed,
    BlockOpened,
    Closed,
    ContentSource,
    Document,
    Finished,
    FinishReason,
    Image,
    Loss,
    LossReason,
    OpaqueTool,
    Opened,
    ProtocolId,
    Refusal,
    Request,
    Response,
    Role,
    Text,
    TextDelta,
    TextSource,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Turn,
    UrlSource,
    Usage,
    UsageSeen,
)
from tokligence.errors import GatewayError
from tokligence.pipeline.loopback import NOTHING, answer, events, pause_s, plain_answer

WEATHER = Tool("weather", "tools[0]", parameters=b'{"type":"object"}')


def user(*parts):
    return Turn(
        Role.USER, tuple(Text(part) if isinstance(part, str) else part for part in parts), "messages[0]"
    )


def ask(*parts, **request):
    return Request("loopback", (user(*parts),), **request)


def reply(request):
    return answer(request, lambda prefix: f"{prefix}1", 1_700_000_000)


def said(request):
    (part,) = reply(request).parts
    return part.text


def test_the_last_user_text_comes_back():
    response = reply(ask("Hello, ", "world"))
    assert response.parts == (Text("Hello, world"),)
    assert (response.id, response.model, response.created) == ("msg_1", "loopback", 1_700_000_000)
    assert (response.finish, response.stop_sequence) == (FinishReason.STOP, None)


def test_earlier_turns_and_the_assistants_are_not_echoed():
    turns = (user("first"), user("second"), Turn(Role.ASSISTANT, (Text("third"),), "messages[2]"))
    assert said(Request("loopback", turns)) == "second"


@pytest.mark.parametrize(
    "turns", [(), (user(),), (user(""),), (Turn(Role.SYSTEM, (Text("be brief"),), "system"),)]
)
def test_an_empty_question_has_an_answer(turns):
    assert said(Request("loopback", turns)) == NOTHING


def test_a_tool_is_called_when_the_text_asks_for_it():
    response = reply(ask('tool:weather {"city": "Oslo"}', tools=(WEATHER,)))
    assert response.parts == (ToolCall("call_1", "weather", '{"city": "Oslo"}'),)
    assert response.finish is FinishReason.TOOL_CALLS


def test_a_tool_without_arguments_gets_an_empty_object_and_broken_ones_stay():
    assert reply(ask("tool:weather", tools=(WEATHER,))).parts[0].arguments == "{}"
    assert reply(ask('tool:weather {"city', tools=(WEATHER,))).parts[0].arguments == '{"city'


@pytest.mark.parametrize(
    "request_",
    [
        ask("tool:weather {}"),
        ask("tool:news {}", tools=(WEATHER,)),
        ask("tool:weather {}", tools=(WEATHER,), tool_choice=ToolChoice(ToolMode.NONE)),
        ask("tool:weather {}", tools=(OpaqueTool(ProtocolId.ANTHROPIC, "x", "tools[0]", b"{}"),)),
    ],
)
def test_a_tool_that_is_not_offered_is_an_ordinary_text(request_):
    assert said(request_).endswith(" {}")


def test_a_tool_may_be_called_under_another_choice():
    request = ask("tool:weather {}", tools=(WEATHER,), tool_choice=ToolChoice(ToolMode.AUTO))
    assert reply(request).finish is FinishReason.TOOL_CALLS


def test_results_alone_are_answered_by_their_text_and_never_obeyed():
    result = ToolResult("call_1", (Text("sunny"), Text(", 20°")))
    turns = (user("tool:weather {}"), user(result))
    assert said(Request("loopback", turns, tools=(WEATHER,))) == "sunny, 20°"
    trap = Request("loopback", (user(ToolResult("c", (Text("fail:500"),))),))
    assert said(trap) == "fail:500"


def test_sleep_is_told_to_the_caller_and_echoed():
    assert pause_s(ask("sleep:250")) == 0.25
    assert pause_s(ask("sleep:250 hello")) == 0.25
    assert said(ask("sleep:250 hello")) == "sleep:250 hello"
    assert pause_s(ask("sleep:999999999")) == 600.0
    assert pause_s(ask("sleepy")) == 0.0
    assert pause_s(ask("sleep:25x")) == 0.0
    assert pause_s(Request("loopback", ())) == 0.0


@pytest.mark.parametrize("status", [400, 429, 503, 529])
def test_fail_is_an_upstreams_error_of_that_status(status):
    with pytest.raises(GatewayError) as caught:
        reply(ask(f"fail:{status}"))
    assert (caught.value.code, caught.value.status) == ("upstream.error", status)
    assert str(status) in caught.value.message


@pytest.mark.parametrize("text", ["fail:200", "fail:600", "fail:5000", "fail:500 please"])
def test_what_is_no_status_of_an_error_is_an_ordinary_text(text):
    assert said(ask(text)) == text


def test_the_first_stop_sequence_ends_the_text():
    response = reply(ask("one two three", stop=("three", "two", "", "four")))
    assert response.parts == (Text("one "),)
    assert (response.finish, response.stop_sequence) == (FinishReason.STOP_SEQUENCE, "two")
    assert reply(ask("one", stop=("two",))).finish is FinishReason.STOP


def test_max_tokens_cut_the_text_at_whole_characters():
    response = reply(ask("abcdefgü", max_tokens=2))
    assert response.parts == (Text("abcdefg"),)
    assert response.finish is FinishReason.LENGTH
    assert response.usage.output == 2
    assert reply(ask("abcdefgh", max_tokens=2)).finish is FinishReason.STOP


def test_max_tokens_reached_after_a_stop_sequence_do_not_count():
    response = reply(ask("abcd efgh", stop=(" ",), max_tokens=1))
    assert (response.finish, response.stop_sequence) == (FinishReason.STOP_SEQUENCE, " ")
    cut = reply(ask("abcdefgh stop", stop=("stop",), max_tokens=1))
    assert (cut.finish, cut.stop_sequence) == (FinishReason.LENGTH, None)


def test_max_tokens_cut_tool_arguments_too():
    response = reply(ask('tool:weather {"city": "Oslo"}', tools=(WEATHER,), max_tokens=1))
    assert response.parts[0].arguments == '{"ci'
    assert response.finish is FinishReason.LENGTH


def test_usage_is_an_estimate_of_everything_that_can_be_read():
    assert reply(Request("loopback", ())).usage == Usage(input=1, output=7, exact=False)
    assert reply(ask("12345")).usage == Usage(input=2, output=2, exact=False)
    turns = (
        Turn(Role.SYSTEM, (Text("a" * 4),), "system"),
        Turn(
            Role.ASSISTANT, (Thinking("b" * 4), ToolCall("c", "dddd", "eeee"), Refusal("no")), "messages[0]"
        ),
        user(
            ToolResult("c", (Text("f" * 4),)),
            Document(TextSource("g" * 4)),
            Document(ContentSource((Text("h" * 4),))),
            Document(UrlSource("https://example.com")),
            "i" * 4,
        ),
    )
    tools = (
        Tool("jjjj", "tools[0]", parameters=b"k" * 4),
        Tool("llll", "tools[1]"),
        OpaqueTool(ProtocolId.ANTHROPIC, "x", "t", b"{}"),
    )
    assert reply(Request("loopback", turns, tools=tools)).usage.input == 12


def test_what_the_echo_leaves_out_is_noted():
    request = ask(Image(UrlSource("https://example.com/a.png")), "seen", Audio("AAAA", "wav"))
    response = reply(request)
    assert response.parts == (Text("seen"),)
    assert response.losses == (
        Loss("messages[0].content[0]", LossReason.UNSUPPORTED),
        Loss("messages[0].content[2]", LossReason.UNSUPPORTED),
    )
    assert reply(ask(Image(Base64Source("image/png", "AAAA")))).parts == (Text(NOTHING),)


def test_a_text_streams_word_by_word():
    response = reply(ask("one  two\nthree "))
    assert list(events(response)) == [
        Opened("msg_1", "loopback", Usage(input=4, exact=False), 1_700_000_000),
        BlockOpened(0, Text("")),
        TextDelta(0, "one  "),
        TextDelta(0, "two\n"),
        TextDelta(0, "three "),
        BlockClosed(0),
        UsageSeen(Usage(input=4, output=4, exact=False)),
        Finished(FinishReason.STOP),
        Closed(),
    ]


def test_tool_arguments_stream_in_fragments():
    response = reply(ask('tool:weather {"city": "Oslo"}', tools=(WEATHER,)))
    stream = list(events(response))
    assert stream[1] == BlockOpened(0, ToolCall("call_1", "weather", ""))
    assert [event.text for event in stream if isinstance(event, TextDelta)] == ['{"city":', ' "Oslo"}']
    assert Finished(FinishReason.TOOL_CALLS) in stream


def test_any_answer_can_be_streamed():
    response = Response("id", "m", (Thinking("hm", "sig"), Text("a b")), FinishReason.STOP)
    stream = list(events(response))
    assert stream[0] == Opened("id", "m", Usage(exact=False))
    assert [event.index for event in stream if isinstance(event, BlockOpened)] == [0, 1]
    assert BlockOpened(0, Thinking("hm", "sig")) in stream


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_the_stream_says_what_the_whole_answer_says(text):
    response = reply(ask("x" + text))
    assert "".join(e.text for e in events(response) if isinstance(e, TextDelta)) == response.parts[0].text


@pytest.mark.parametrize("text", ["sleep:5 hello", "fail:503", "tool:weather {}", "  tool:nothing"])
def test_what_asks_for_more_than_its_echo_has_no_plain_answer(text):
    assert plain_answer(ask(text, tools=(WEATHER,)), lambda prefix: prefix, 1) is None


@given(st.lists(st.text(max_size=20), max_size=3))
def test_a_plain_answer_is_the_answer(texts):
    request = ask(*texts)
    plain = plain_answer(request, lambda prefix: f"{prefix}1", 1_700_000_000)
    assert plain is None or plain == reply(request)
