import json
import subprocess
import sys

import msgspec
import pytest
from msgspec import Raw

from tokligence.errors import GatewayError
from tokligence.wire.strict import EXTRAS_KEY, OPAQUE_TAG, OpaqueWire, Reader, Wire, unknown_paths


class TextPart(Wire, tag="text", tag_field="type", kw_only=True):
    text: str


class ImagePart(Wire, tag="image", tag_field="type", kw_only=True):
    url: str


class Message(Wire, kw_only=True):
    role: str
    content: str | list[TextPart | ImagePart | OpaqueWire]


class Body(Wire, kw_only=True):
    model: str
    messages: list[Message] = []
    schema: Raw = Raw()
    named: dict[str, TextPart] = {}
    number: int | None = None


READER: Reader[Body] = Reader(Body)


def read(body: object) -> Body:
    return READER.read(json.dumps(body).encode())


def code_of(raw: bytes) -> tuple[str, str]:
    with pytest.raises(GatewayError) as caught:
        READER.read(raw)
    return caught.value.code, caught.value.message


def test_known_fields_are_read_at_once():
    body = read({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
    assert body.messages[0].content == [TextPart(text="hi")]
    assert body.extras is None


def test_unknown_fields_are_kept_on_the_object_they_stood_in():
    body = read(
        {
            "model": "m",
            "new": {"a": [1, 2.5]},
            "messages": [{"role": "user", "x": 1, "content": [{"type": "text", "text": "hi", "y": "é"}]}],
            "named": {"k": {"type": "text", "text": "t", "z": None}},
        }
    )
    assert body.extras == {"new": Raw(b'{"a": [1, 2.5]}')}
    message = body.messages[0]
    assert message.extras == {"x": Raw(b"1")}
    assert message.content[0].extras == {"y": Raw('"é"'.encode())}
    assert body.named["k"].extras == {"z": Raw(b"null")}


def test_an_element_of_unknown_type_is_kept_whole_and_in_its_place():
    parts = [{"type": "text", "text": "a"}, {"type": "hologram", "data": [1]}, {"type": "image", "url": "u"}]
    content = read({"model": "m", "messages": [{"role": "user", "content": parts}]}).messages[0].content
    assert content[0] == TextPart(text="a")
    assert isinstance(content[1], OpaqueWire)
    assert json.loads(content[1].raw) == parts[1]
    assert content[1].kind == "hologram"
    assert content[2] == ImagePart(url="u")


def test_an_element_without_a_usable_type_has_no_kind():
    content = read({"model": "m", "messages": [{"role": "u", "content": [{"type": 5}]}]}).messages[0].content
    assert content[0].kind == ""


def test_raw_fields_keep_their_bytes():
    raw = b'{"model":"m","schema":{"b" : 1.50, "a":[ 1 ]}}'
    assert READER.read(raw).schema == Raw(b'{"b" : 1.50, "a":[ 1 ]}')


def test_our_own_marks_are_new_in_every_process():
    program = "from tokligence.wire.strict import EXTRAS_KEY, OPAQUE_TAG; print(EXTRAS_KEY, OPAQUE_TAG)"
    others = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {EXTRAS_KEY, OPAQUE_TAG} & set(others.stdout.split())
    assert len(others.stdout.split()) == 2


def test_a_missing_field_is_named_with_its_path():
    assert code_of(b"{}") == ("request.missing_field", "The field model is required.")
    assert (
        code_of(b'{"model":"m","messages":[{"role":"u"}]}')[1] == "The field messages[0].content is required."
    )


def test_a_wrong_type_is_named_with_its_path():
    code, message = code_of(b'{"model":"m","number":"x"}')
    assert code == "request.invalid_field"
    assert message == "The field number is not valid: expected `int | null`, got `str`."
    assert code_of(b'"x"')[1].startswith("The field (the body) is not valid")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "request.invalid_json"),
        (b"{", "request.invalid_json"),
        (b'{"model":NaN}', "request.invalid_json"),
        (b'{"model":"m","n":-Infinity}', "request.invalid_json"),
        (b'\xef\xbb\xbf{"model":"m"}', "request.invalid_json"),
        (b'{"model":"\xff"}', "request.invalid_json"),
        (b'{"model":"\\ud800"}', "request.invalid_json"),
        (b'{"model":"m","n":1e999}', "request.invalid_json"),
        (b'{"model":"m","n":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "request.too_deep"),
        (b'{"model":"m","schema":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "request.too_deep"),
    ],
)
def test_bad_json_gets_a_clear_code(raw, code):
    assert code_of(raw)[0] == code


def test_huge_integers_in_unknown_fields_survive():
    assert read({"model": "m", "n": 10**30}).extras == {"n": Raw(str(10**30).encode())}


def test_unknown_paths_lists_what_the_shape_does_not_declare():
    raw = json.dumps(
        {"model": "m", "a": 1, "messages": [{"role": "u", "b": 2, "content": [{"type": "odd"}]}]}
    ).encode()
    assert sorted(unknown_paths(raw, Body)) == ["a", "messages[].b", "messages[].content[]"]
    assert unknown_paths(b'{"model":"m"}', Body) == []


def test_a_value_where_an_object_was_expected_is_left_to_the_decoder():
    assert code_of(b'{"model":"m","named":{"k":{"type":"odd"}}}')[0] == "request.invalid_field"
    assert msgspec.json.decode(b"1") == 1


class Camel(Wire, rename="camel"):
    both_names = True

    inline_data: TextPart | None = None
    text: str | None = None


CAMEL: Reader[Camel] = Reader(Camel)


def test_a_field_is_also_read_by_its_other_name_where_that_is_wanted() -> None:
    body = CAMEL.read(b'{"inline_data":{"type":"text","text":"a"},"new_one":1}')
    assert body.inline_data == TextPart(text="a")
    assert body.extras == {"new_one": Raw(b"1")}


def test_a_field_given_by_both_names_is_refused() -> None:
    with pytest.raises(GatewayError) as caught:
        CAMEL.read(b'{"inlineData":null,"inline_data":null}')
    assert caught.value.code == "request.invalid_field"
