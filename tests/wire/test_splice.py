import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.errors import GatewayError
from tokligence.wire.splice import TopLevel

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
STYLES = [(",", ":"), (", ", ": "), (" ,\n\t", " :\r\n")]


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=6), st.sampled_from(STYLES), st.booleans())
def test_replacing_one_value_changes_no_other_byte(body, separators, ascii_only):
    raw = json.dumps(body, separators=separators, ensure_ascii=ascii_only).encode()
    for name in body:
        start, end = TopLevel(raw).span(name)
        assert json.loads(raw[start:end]) == body[name]
        spliced = TopLevel(raw).replace(name, b'"other"')
        assert spliced == raw[:start] + b'"other"' + raw[end:]
        assert json.loads(spliced) == body | {name: "other"}


@given(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from(STYLES))
def test_appending_a_pair_keeps_all_that_was_there(body, separators):
    raw = json.dumps(body, separators=separators).encode()
    body.pop("new", None)
    raw = json.dumps(body, separators=separators).encode()
    appended = TopLevel(raw).append("new", b"[1]")
    assert json.loads(appended) == body | {"new": [1]}
    assert appended.startswith(raw.rstrip()[:-1])


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'{"\\u0061":1,"a":1}',
        b'{"model":"x","m\\u006fdel":"y"}',
        b'{ "a" : 1 , "a" : 1 }',
        b'{"a": 1, "b": 2, "b": 2}',
    ],
)
def test_a_repeated_top_level_key_is_refused(raw):
    with pytest.raises(GatewayError) as caught:
        TopLevel(raw)
    assert caught.value.code == "request.duplicate_key"


@pytest.mark.parametrize("pad", range(12))
def test_a_key_within_another_value_is_not_taken_for_the_one_on_top(pad):
    raw = b'{"a":' + b" " * pad + b'{"x": 1, "model": "m"}, "model": "m"}'
    assert json.loads(TopLevel(raw).replace("model", b'"n"')) == {"a": {"x": 1, "model": "m"}, "model": "n"}


@pytest.mark.parametrize("key", ["a", "model", "messages"])
@pytest.mark.parametrize("pairs", range(1, 9))
@pytest.mark.parametrize("separators", STYLES)
def test_a_repeated_key_is_refused_among_any_number_of_pairs_in_any_style(key, pairs, separators):
    comma, colon = separators
    pieces = [f'"key{number}"{colon}{number}' for number in range(pairs)] + [f'"{key}"{colon}1'] * 2
    with pytest.raises(GatewayError) as caught:
        TopLevel(("{" + comma.join(pieces) + "}").encode())
    assert caught.value.code == "request.duplicate_key"


def test_an_escaped_key_is_found_by_its_meaning():
    assert TopLevel(b'{"\\u006dodel" : "a" }').replace("model", b'"b"') == b'{"\\u006dodel" : "b" }'


@pytest.mark.parametrize("raw", [b'{"a":1}', b'{"a": 1}', b'{ "a":1}'])
def test_a_key_that_is_not_there_has_no_span(raw):
    with pytest.raises(KeyError):
        TopLevel(raw).span("b")


def test_white_space_around_the_object_stays():
    assert TopLevel(b' \n{"a":1}\n ').replace("a", b"2") == b' \n{"a":2}\n '
    assert TopLevel(b" { } ").append("a", b"2") == b' { "a":2} '


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "request.invalid_json"),
        (b"[1]", "request.invalid_json"),
        (b'{"a":NaN}', "request.invalid_json"),
        (b'\xef\xbb\xbf{"a":1}', "request.invalid_json"),
        (b'{"a":"\xff"}', "request.invalid_json"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "request.too_deep"),
        (b'{"a":1}x', "request.invalid_json"),
    ],
)
def test_what_is_not_an_object_is_refused_with_its_code(raw, code):
    with pytest.raises(GatewayError) as caught:
        TopLevel(raw)
    assert caught.value.code == code
