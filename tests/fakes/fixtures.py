"""Fixtures for scripted upstreams: one server for the whole session, clean before each test, judged after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.scripted import ScriptedUpstream


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
def compatible_upstream(compatible_server: OpenAI) -> Iterator[ScriptedUpstream]:
    """An OpenAI-compatible server (as vLLM is): any model, extra fields, `reasoning_content`."""
    yield from _judged(compatible_server)
