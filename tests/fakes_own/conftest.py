"""The vendors' SDKs, pointed straight at the scripted upstreams."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest
from google import genai

from tests.fakes.anthropic import Anthropic
from tests.fakes.gemini import Gemini
from tests.fakes.openai import OpenAI


@pytest.fixture
def openai_sdk(openai_upstream: OpenAI) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=openai_upstream.base_url, api_key=openai_upstream.key, max_retries=0
    ) as client:
        yield client


@pytest.fixture
def compatible_sdk(compatible_upstream: OpenAI) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=compatible_upstream.base_url, api_key=compatible_upstream.key, max_retries=0
    ) as client:
        yield client


@pytest.fixture
def anthropic_sdk(anthropic_upstream: Anthropic) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=anthropic_upstream.base_url, api_key=anthropic_upstream.key, max_retries=0
    ) as client:
        yield client


@pytest.fixture
def gemini_sdk(gemini_upstream: Gemini) -> Iterator[genai.Client]:
    with genai.Client(api_key=gemini_upstream.key, http_options={"base_url": gemini_upstream.url}) as client:
        yield client
