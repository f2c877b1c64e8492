"""Embeddings of the built-in upstream."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.errors import GatewayError
from tokligence.pipeline.loopback_embeddings import DIMENSIONS, embed, vector


def ask(**body) -> dict:
    return json.loads(embed(json.dumps({"model": "loopback", **body}).encode(), "loopback")[0])


@given(st.text(max_size=60), st.integers(1, 64))
def test_a_vector_has_length_one_and_is_the_same_each_time(text: str, size: int) -> None:
    first = vector(text, size)
    assert len(first) == size
    assert sum(value * value for value in first) == pytest.approx(1)
    assert vector(text, size) == first


def test_texts_that_share_words_are_more_alike_than_others() -> None:
    def alike(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(vector(one, DIMENSIONS), vector(other, DIMENSIONS), strict=True))

    cat = "The cat sat on the mat."
    assert alike(cat, "A cat on a mat.") > alike(cat, "Prices rose sharply in October")


def test_one_text_many_texts_and_tokens_are_all_inputs() -> None:
    assert len(ask(input="hello")["data"]) == 1
    assert [item["index"] for item in ask(input=["a", "b", "c"])["data"]] == [0, 1, 2]
    assert len(ask(input=[1, 2, 3])["data"]) == 1
    two = ask(input=[[1, 2], [3]])["data"]
    assert len(two) == 2
    assert two[0]["embedding"] == ask(input="1 2")["data"][0]["embedding"]


def test_dimensions_and_base64_as_openai_has_them() -> None:
    plain = ask(input="hello", dimensions=8)["data"][0]["embedding"]
    packed = ask(input="hello", dimensions=8, encoding_format="base64")["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == pytest.approx(plain)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "request.invalid_json"),
        (b"\xff", "request.invalid_json"),
        (b'{"model":"loopback"}', "request.invalid_field"),
        (b'{"input":{}}', "request.invalid_field"),
        (b'{"input":[]}', "request.invalid_field"),
        (b'{"input":"a","dimensions":0}', "request.invalid_field"),
        (b'{"input":"a","dimensions":100000}', "request.invalid_field"),
    ],
)
def test_what_cannot_be_embedded_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(GatewayError) as caught:
        embed(body, "loopback")
    assert caught.value.code == code
