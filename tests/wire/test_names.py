"""Names and ids in a target's form."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tokligence.wire.names import ANTHROPIC_ID, GEMINI_NAME, OPENAI_CHAT_ID, Form, ToolNames, in_form


def test_a_name_that_fits_stays() -> None:
    names = ToolNames(64)
    assert names.to_target("get_weather-2") == "get_weather-2"
    assert names.renames == {}


def test_a_long_name_is_shortened_and_can_be_undone() -> None:
    names = ToolNames(64)
    target = names.to_target("n" * 100)
    assert len(target) == 64
    assert names.renames == {target: "n" * 100}


def test_strange_characters_are_replaced() -> None:
    target = ToolNames(128).to_target("devserver.stop")
    assert re.fullmatch(r"devserver_stop_[0-9a-f]{10}", target)


def test_a_name_has_the_same_form_in_every_request() -> None:
    one, two = ToolNames(64), ToolNames(64)
    two.to_target("another.tool")
    assert one.to_target("a.b") == two.to_target("a.b") == one.to_target("a.b")


def test_a_name_that_looks_like_a_shortened_one_gets_another_form() -> None:
    names = ToolNames(64)
    shortened = names.to_target("a.b")
    other = names.to_target(shortened)
    assert other != shortened
    assert names.renames == {shortened: "a.b", other: shortened}


def test_a_shortened_name_does_not_take_a_name_that_is_in_use() -> None:
    taken = ToolNames(64).to_target("a.b")
    names = ToolNames(64)
    assert names.to_target(taken) == taken
    assert names.to_target("a.b") not in ("a.b", taken)


def test_another_character_set_is_obeyed() -> None:
    assert ToolNames(64, "a-zA-Z0-9_.:-").to_target("a.b:c") == "a.b:c"


def test_ids_that_fit_stay_and_others_do_not_collide() -> None:
    assert in_form("toolu_01AbC", ANTHROPIC_ID) == "toolu_01AbC"
    assert in_form("functions.Bash:0", ANTHROPIC_ID) != in_form("functions.Bash.0", ANTHROPIC_ID)
    assert len(in_form("x" * 200, OPENAI_CHAT_ID)) == 40


def test_a_lone_surrogate_and_an_empty_text_have_a_form() -> None:
    assert re.fullmatch("[a-zA-Z0-9_-]+", in_form("\ud800", ANTHROPIC_ID))
    assert re.fullmatch("[a-zA-Z0-9_-]+", in_form("", ANTHROPIC_ID))


@given(st.lists(st.text(max_size=80), unique=True, max_size=8))
def test_every_name_fits_and_is_undone(sources: list[str]) -> None:
    names = ToolNames(32)
    targets = [names.to_target(source) for source in sources]
    assert len(set(targets)) == len(targets)
    for source, target in zip(sources, targets, strict=True):
        assert re.fullmatch("[a-zA-Z0-9_-]{1,32}", target)
        assert names.renames.get(target, target) == source


@given(st.text())
def test_a_form_is_a_fixed_point(text: str) -> None:
    form = Form(40)
    assert in_form(in_form(text, form), form) == in_form(text, form)


def test_a_name_that_may_not_begin_as_it_does_gets_an_underscore_before_it() -> None:
    names = ToolNames(GEMINI_NAME.max_len, GEMINI_NAME.charset, GEMINI_NAME.first)
    assert names.to_target("mcp.server:read-file") == "mcp.server:read-file"
    target = names.to_target("3d_print")
    assert re.fullmatch(r"_3d_print_[0-9a-f]{10}", target)
    assert re.fullmatch(r"_b_[0-9a-f]{10}", names.to_target("äb"))
    assert names.renames[target] == "3d_print"
    assert len(names.to_target("9" * 200)) == GEMINI_NAME.max_len
