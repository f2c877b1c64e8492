"""What the end-to-end tests ask with: the smallest real picture, document and tools, in both vendors' forms."""

from __future__ import annotations

from typing import Any

GPT = "gpt-4o"
REASONING_GPT = "gpt-5"
CLAUDE = "claude-sonnet-4-5"  # samples, thinks with a budget
ADAPTIVE_CLAUDE = "claude-opus-4-8"  # does not sample, thinks adaptively

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PICTURE_URL = "https://example.com/cat.png"
PDF = "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoKdHJhaWxlcgo8PC9Sb290IDEgMCBSPj4KJSVFT0YK"

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

OPENAI_TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather in a city.", "parameters": CITY},
}
ANTHROPIC_TOOL: Any = {"name": "weather", "description": "The weather in a city.", "input_schema": CITY}

TWO_CALLS = 'tool:weather {"city": "Rome"}\ntool:weather {"city": "Reykjavík"}'
"""Makes a scripted upstream call the tool twice in one answer."""


def user(content: Any) -> Any:
    return {"role": "user", "content": content}
