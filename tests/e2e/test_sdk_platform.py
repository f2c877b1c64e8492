"""The SDKs' other endpoints through the gateway: embeddings, completions, images, audio, moderations, files, batches."""

from __future__ import annotations

import io
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.daemon import Daemon
from tests.fakes.openai_platform import PIXEL, SOUND


def test_openai_embeddings_in_both_encodings(openai_sdk: openai.OpenAI) -> None:
    packed = openai_sdk.embeddings.create(model="text-embedding-3-small", input=["a", "bc"])
    assert [item.embedding for item in packed.data] == [[1.0, 0.5], [2.0, 0.5]]
    plain = openai_sdk.embeddings.create(model="text-embedding-3-small", input="a", encoding_format="float")
    assert plain.data[0].embedding == [1.0, 0.5]
    assert plain.usage.prompt_tokens == 1


def test_openai_embeddings_of_the_loopback(openai_sdk: openai.OpenAI) -> None:
    found = openai_sdk.embeddings.create(model="loopback", input=["cat", "cat", "dog"], dimensions=64)
    first, second, third = (item.embedding for item in found.data)
    assert len(first) == 64
    assert first == second != third


def test_openai_completions_whole_and_streamed(openai_sdk: openai.OpenAI) -> None:
    whole = openai_sdk.completions.create(model="gpt-3.5-turbo-instruct", prompt="hi")
    assert whole.choices[0].text == " said hi"
    chunks = list(openai_sdk.completions.create(model="gpt-3.5-turbo-instruct", prompt="hi", stream=True))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == " said hi"


def test_openai_images_whole_streamed_and_edited(openai_sdk: openai.OpenAI) -> None:
    made = openai_sdk.images.generate(model="gpt-image-1", prompt="a cat")
    assert made.data is not None and made.data[0].b64_json == PIXEL
    assert made.usage is not None and made.usage.output_tokens == 4160
    events = list(openai_sdk.images.generate(model="gpt-image-1", prompt="a cat", stream=True))
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    edited = openai_sdk.images.edit(model="gpt-image-1", image=("a.png", b"png", "image/png"), prompt="a hat")
    assert edited.data is not None and edited.data[0].b64_json == PIXEL


def test_openai_speech_whole_and_streamed(openai_sdk: openai.OpenAI) -> None:
    spoken = openai_sdk.audio.speech.create(model="tts-1", voice="alloy", input="Hello")
    assert spoken.read() == SOUND
    with openai_sdk.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Hello"
    ) as stream:
        assert b"".join(stream.iter_bytes()) == SOUND


def test_openai_transcriptions_in_three_formats(openai_sdk: openai.OpenAI) -> None:
    file = ("a.mp3", SOUND, "audio/mpeg")
    heard = openai_sdk.audio.transcriptions.create(model="gpt-4o-transcribe", file=file)
    assert heard.text == "Hello there."
    text: Any = openai_sdk.audio.transcriptions.create(model="whisper-1", file=file, response_format="text")
    assert text == "Hello there.\n"
    events = list(openai_sdk.audio.transcriptions.create(model="gpt-4o-transcribe", file=file, stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]


def test_openai_moderations_with_and_without_a_model(openai_sdk: openai.OpenAI) -> None:
    assert openai_sdk.moderations.create(input="hello").results[0].flagged is False
    assert openai_sdk.moderations.create(input="hello", model="omni-moderation-latest").model


def test_openai_files_are_kept_listed_read_and_deleted(openai_sdk: openai.OpenAI) -> None:
    content = b'{"custom_id":"a"}\n' * 5000
    file = openai_sdk.files.create(file=("in.jsonl", io.BytesIO(content)), purpose="batch")
    assert file.bytes == len(content)
    assert file.id in [each.id for each in openai_sdk.files.list(purpose="batch")]
    assert openai_sdk.files.retrieve(file.id).filename == "in.jsonl"
    assert openai_sdk.files.content(file.id).read() == content
    assert openai_sdk.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        openai_sdk.files.retrieve(file.id)


def test_openai_batches_and_vector_stores(openai_sdk: openai.OpenAI) -> None:
    batch = openai_sdk.batches.create(
        input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert openai_sdk.batches.retrieve(batch.id).input_file_id == "file-1"
    assert openai_sdk.batches.cancel(batch.id).id == batch.id
    store = openai_sdk.vector_stores.create(name="notes")
    assert openai_sdk.vector_stores.retrieve(store.id).name == "notes"
    assert openai_sdk.vector_stores.delete(store.id).deleted


def test_openai_uploads_in_parts(openai_sdk: openai.OpenAI) -> None:
    upload = openai_sdk.uploads.create(bytes=3, filename="a", mime_type="text/plain", purpose="user_data")
    openai_sdk.uploads.parts.create(upload.id, data=b"abc")
    assert openai_sdk.uploads.complete(upload.id, part_ids=["part_1"]).id == upload.id


def test_anthropic_batches_with_their_results(anthropic_sdk: anthropic.Anthropic) -> None:
    params: Any = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "?"}],
    }
    batches = anthropic_sdk.messages.batches
    batch = batches.create(
        requests=[{"custom_id": "a", "params": params}, {"custom_id": "b", "params": params}]
    )
    assert batches.retrieve(batch.id).processing_status == "ended"
    assert batch.id in [each.id for each in batches.list()]
    results = list(batches.results(batch.id))  # at the address that the batch names
    assert [result.custom_id for result in results] == ["a", "b"]
    assert results[0].result.type == "succeeded"
    assert batches.cancel(batch.id).processing_status == "canceling"
    assert batches.delete(batch.id).id == batch.id


def test_anthropic_files_by_the_path_that_openai_has_too(anthropic_sdk: anthropic.Anthropic) -> None:
    files = anthropic_sdk.beta.files
    file = files.upload(file=("a.txt", b"hello", "text/plain"))
    assert file.id in [each.id for each in files.list()]
    assert files.retrieve_metadata(file.id).size_bytes == 5
    assert files.download(file.id).read() == b"hello"
    assert files.delete(file.id).id == file.id


def test_an_error_of_these_endpoints_is_the_sdks_own(openai_sdk: openai.OpenAI, gateway: Daemon) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_sdk.embeddings.create(model="claude-sonnet-4-5", input="a")
    assert caught.value.code == "route.unsupported"
    with pytest.raises(openai.InternalServerError) as unset:
        openai_sdk.embeddings.create(model="mistral-embed", input="a")
    assert "TOKLIGENCE_MISTRAL_API_KEY" in str(unset.value)
