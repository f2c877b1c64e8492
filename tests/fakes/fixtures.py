"""Fixtures for scripted upstreams: one server for the whole session, clean before each test, judged after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.scripted import ScriptedUpstream

if TYPE_CHECKING:
    from tests.fakes.gemini import Gemini


def _judged(fake: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    fake.reset()
    yield fake
    verdict = fake.verdict()
    assert not verdict, "\n".join(verdict)


@pytest.fixture(scope="session")
def openai_server() -> Iterator[OpenAI]:
    fake = OpenAI()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def anthropic_server() -> Iterator[Anthropic]:
    fake = Anthropic()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def gemini_server() -> Iterator[Gemini]:
    from tests.fakes.gemini import Gemini  # its SDK takes a second to load

    fake = Gemini()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def compatible_server() -> Iterator[OpenAI]:
    fake = OpenAI(compatible=True)
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def openai_upstream(openai_server: OpenAI) -> Iterator[ScriptedUpstream]:
    yield from _judged(openai_server)


@pytest.fixture
def anthropic_upstream(anthropic_server: Anthropic) -> Iterator[ScriptedUpstream]:
    yield from _judged(anthropic_server)


@pytest.fixture
def gemini_upstream(gemini_server: Gemini) -> Iterator[ScriptedUpstream]:
    yield from _judged(gemini_server)


@pytest.fixture
def compatible_upstream(compatible_server: OpenAI) -> Iterator[ScriptedUpstream]:
    """An OpenAI-compatible server (as vLLM is): any model, extra fields, `reasoning_content`."""
    yield from _judged(compatible_server)
