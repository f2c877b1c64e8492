"""A freeform call's text, as the one argument of a function and back, however it is cut."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.wire.freeform import SCHEMA, Unwrapped, unwrapped, wrapped

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
CUTS = st.lists(st.integers(0, 80))


def in_pieces(arguments: str, cuts: list[int]) -> str:
    edges = [0, *sorted(min(cut, len(arguments)) for cut in cuts), len(arguments)]
    reading = Unwrapped()
    told = [reading.feed(arguments[a:b]) for a, b in itertools.pairwise(edges)]
    return "".join(told) + reading.close()


@given(TEXT, CUTS)
def test_any_text_comes_back_however_its_arguments_are_cut(text: str, cuts: list[int]) -> None:
    assert unwrapped(wrapped(text)) == text
    assert in_pieces(wrapped(text), cuts) == text


@given(TEXT, CUTS)
def test_a_model_may_escape_everything_and_space_as_it_likes(text: str, cuts: list[int]) -> None:
    arguments = f' {{ "input" : {json.dumps(text)} }} '
    assert in_pieces(arguments, cuts) == text


@given(st.text(st.sampled_from('{"input:}\\udD83dDE00cC0x \n'), max_size=40), CUTS)
def test_whatever_comes_is_told_the_same_whole_or_in_pieces(arguments: str, cuts: list[int]) -> None:
    assert in_pieces('{"input":"' + arguments, cuts) == unwrapped('{"input":"' + arguments)
    assert in_pieces(arguments, cuts) == unwrapped(arguments)


def test_text_is_told_as_soon_as_it_is_known() -> None:
    reading = Unwrapped()
    pieces = ['{"in', 'put":"*** Be', "gin\\", "nx\\ud8", "3d\\u", 'de00"', "}"]
    assert [reading.feed(piece) for piece in pieces] == ["", "*** Be", "gin", "\nx", "", "\U0001f600", ""]
    assert reading.close() == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", ""),
        ("{}", ""),
        ('{"input":"a","more":"b"}', "a"),
        ('{"more":"b","input":"a"}', "a"),
        ('{"patch":"a"}', "a"),
        ('{"patch":"a","more":"b"}', '{"patch":"a","more":"b"}'),
        ('{"input":7}', '{"input":7}'),
        ('"a"', "a"),
        ("[1]", "[1]"),
        ("*** Begin Patch", "*** Begin Patch"),
        ('{"input":"no end', "no end"),
        ('{"input":"no end\\', "no end\\"),
        ('{"input":"line\nbreak\\q"}', "line\nbreak\\q"),
        ('{"input":"\\ud83d!"}', "\ufffd!"),
        ('{"input":"\\ude00!"}', "\ufffd!"),
        ('{"input":"\\ud83d', "\ufffd"),
        ('{"input":"\\ud83d\\ud83d\\ude00"}', "\ufffd\U0001f600"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_arguments_of_another_form_are_understood_or_told_as_they_are(arguments: str, text: str) -> None:
    assert unwrapped(arguments) == text


def test_the_schema_demands_the_one_argument() -> None:
    assert json.loads(SCHEMA)["required"] == ["input"]
