from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.user import User
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI

CLIENTS_KEY = "any-key"


@pytest.fixture
def user(
    tmp_path: Path, openai_upstream: OpenAI, anthropic_upstream: Anthropic, compatible_upstream: OpenAI
) -> Iterator[User]:
    """Whatever gateway they started is stopped when the test ends."""
    for upstream in (openai_upstream, anthropic_upstream, compatible_upstream):
        upstream.must_not_see(CLIENTS_KEY)
    someone = User(tmp_path, openai_upstream, anthropic_upstream, compatible_upstream)
    yield someone
    if (tmp_path / ".tokligence/run/gateway.json").exists():
        someone.shell("tgw stop")


@pytest.fixture
def gateway(user: User) -> User:
    """A user whose gateway runs with both vendors' keys and has answered once."""
    user.environ |= user.keys
    user.shell("tgw start --daemon")
    user.shell(
        "curl http://localhost:8081/v1/chat/completions -H 'content-type: application/json'"
        """ -d '{"model":"loopback","messages":[{"role":"user","content":"Hello!"}]}'"""
    )
    return user
