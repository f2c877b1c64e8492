"""What becomes of each thing that one protocol can say when it is said in the other: kept, converted or lost.

Data only, for docs/translation.md, and for the tests that hold it against the codecs: every field that a codec declares
has a row, and every row is proven by golden exchanges (tests/wire/cross). What stands in tables already (severities,
stop reasons, service tiers, sampling) is taken from there.

A path is in the words of its protocol; `name[kind]` is an element or object of that kind, `name[]` any element,
`content[kind]` a content part wherever it stands, `…name` a field wherever it stands. A row holds for all below its
path that has no row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw, Struct

from tokligence.conversation import FinishReason, LossReason, ProtocolId, Severity
from tokligence.wire.anthropic.tables import (
    ANSWER_TIER_OF,
    REQUEST_TIER_OF,
    SAMPLING_LOSS,
    STOP_REASON_OF,
)
from tokligence.wire.anthropic.tables import FINISH_OF as ANTHROPIC_FINISH
from tokligence.wire.anthropic.types import RequestWire, ResponseWire, ToolWire
from tokligence.wire.effort import BUDGETS
from tokligence.wire.openai.tiers import ANSWER_TIER, SERVICE_TIER
from tokligence.wire.openai_chat.tables import FINISH_OF as CHAT_FINISH
from tokligence.wire.openai_chat.tables import FINISH_REASON
from tokligence.wire.openai_chat.types import KEPT_RAW
from tokligence.wire.openai_chat.write_answer import finish_losses
from tokligence.wire.severity import severity_of

LossKind: TypeAlias = tuple[LossReason, Severity]

_C, _S = Severity.COSMETIC, Severity.SEMANTIC
UNSAID: Final[LossKind] = (LossReason.UNSUPPORTED, _S)
UNSAID_C: Final[LossKind] = (LossReason.UNSUPPORTED, _C)
CAPABILITY: Final[LossKind] = (LossReason.MODEL_CAPABILITY, _S)
CLAMPED: Final[LossKind] = (LossReason.CLAMPED, _C)
CLAMPED_S: Final[LossKind] = (LossReason.CLAMPED, _S)
CONVERTED: Final[LossKind] = (LossReason.CONVERTED, _C)
CONVERTED_S: Final[LossKind] = (LossReason.CONVERTED, _S)
REPAIRED: Final[LossKind] = (LossReason.REPAIRED, _C)
REPAIRED_S: Final[LossKind] = (LossReason.REPAIRED, _S)
FOREIGN: Final[LossKind] = (LossReason.FOREIGN_SIGNATURE, _C)
UNKNOWN_FIELD: Final[LossKind] = (LossReason.UNKNOWN_FIELD, _S)
UNKNOWN_FIELD_C: Final[LossKind] = (LossReason.UNKNOWN_FIELD, _C)
UNKNOWN_PART: Final[LossKind] = (LossReason.UNKNOWN_PART, _S)
EMPTY: Final[LossKind] = (LossReason.DROPPED_EMPTY, _C)


class Fate(StrEnum):
    KEPT = "kept"
    CONVERTED = "converted"
    LOST = "lost"


class Section(StrEnum):
    """What a row is a row of; the titles of the document."""

    REQUEST = "Fields of a request"
    MESSAGE = "Messages and their parts"
    TOOLS = "Tools"
    ANSWER = "Fields of an answer"
    USAGE = "Usage"
    STREAM = "Events of a stream"


class Row(Struct, frozen=True):
    """`target`: the path on the other side. `how`: in a sentence's part. `losses`: those that may be recorded; of a
    LOST row one always is, unless it says the default."""

    path: str
    fate: Fate
    target: str = ""
    how: str = ""
    losses: tuple[LossKind, ...] = ()


def _kept(path: str, target: str, how: str = "", *losses: LossKind) -> Row:
    return Row(path, Fate.KEPT, target, how, losses)


def _turned(path: str, target: str, how: str, *losses: LossKind) -> Row:
    return Row(path, Fate.CONVERTED, target, how, losses)


def _lost(path: str, how: str, *losses: LossKind) -> Row:
    return Row(path, Fate.LOST, "", how, losses)


def _own(names: Iterator[str] | tuple[str, ...], within: str = "") -> tuple[Row, ...]:
    """Fields that only one vendor has, as `severity` weighs them."""
    return tuple(
        _lost(f"{within}{name}", "", (LossReason.UNSUPPORTED, severity_of(name))) for name in sorted(names)
    )


def raw_fields(shape: type[Struct]) -> tuple[str, ...]:
    """The fields that a codec keeps as they are: the conversation has no word for them."""
    return tuple(field.encode_name for field in msgspec.structs.fields(shape) if field.type is Raw)


# --- Chat -> Messages: requests -------------------------------------------------------------------------

_CHAT_REQUEST: Final = (
    _turned("model", "model", "the model that the route names"),
    _turned(
        "max_completion_tokens",
        "max_tokens",
        "the catalogue's limit where none is given; raised where thinking needs more",
        CLAMPED,
        CLAMPED_S,
    ),
    _turned(
        "max_tokens",
        "max_tokens",
        "does not count beside `max_completion_tokens`; raised where thinking needs more",
        CONVERTED,
        CLAMPED,
        CLAMPED_S,
    ),
    _turned("stop", "stop_sequences", "blank ones are refused by Anthropic", UNSAID),
    _kept("temperature", "temperature", "at most 1; not beside thinking", CLAMPED_S, CAPABILITY),
    _kept("top_p", "top_p", "not beside temperature on models that take one of them", CAPABILITY),
    _kept("top_k", "top_k", "not beside thinking", CAPABILITY),
    *(
        _lost(name, "unless it asks for nothing", (LossReason.UNSUPPORTED, weight))
        for name, weight in SAMPLING_LOSS.items()
    ),
    _turned(
        "response_format",
        "output_config.format",
        "natively, else by a tool that must be called, whose input is the answer's text",
        CONVERTED,
        CONVERTED_S,
        UNSAID,
        REPAIRED_S,
    ),
    _lost("response_format[json_schema].json_schema.name", "", UNSAID_C),
    _turned(
        "response_format[json_schema].json_schema.description",
        "output_config.format.schema.description",
        "joins the schema's own",
    ),
    _turned("response_format[json_schema].json_schema.strict", "", "Anthropic enforces every schema"),
    _turned(
        "reasoning_effort",
        "thinking",
        "a budget, or an effort where the model thinks adaptively; excluded by a forced tool and by a tool loop"
        " that began without thinking",
        CLAMPED,
        CAPABILITY,
        UNSAID,
    ),
    _turned("reasoning", "thinking", "a budget is taken as it is"),
    _turned("reasoning.exclude", "thinking.display", "`omitted`"),
    _lost("reasoning.summary", "", UNSAID_C),
    _lost("verbosity", "unless `medium`", UNSAID),
    _turned("service_tier", "service_tier", "by table", UNSAID_C),
    _turned("user", "metadata.user_id", "its SHA-256 above 256 characters", CONVERTED),
    _lost("metadata", "", UNSAID_C),
    _kept("stream", "stream"),
    _turned("stream_options.include_usage", "", "the gateway writes the usage chunk"),
    _lost("stream_options.include_obfuscation", "", UNSAID_C),
    *_own(KEPT_RAW),
)

_CHAT_MESSAGE: Final = (
    _turned(
        "messages[system].content",
        "system",
        "at the start; later said by the user between `<system>` and `</system>`, or in place where the model takes it",
        CONVERTED,
    ),
    _turned("messages[developer].content", "system", "as a system message"),
    _kept(
        "messages[user].content",
        "messages[user].content",
        "turns of one role in a row are one message",
        EMPTY,
    ),
    _kept(
        "messages[assistant].content",
        "messages[assistant].content",
        "a first one follows a made-up user's message; white space at the end of a last one goes",
        REPAIRED,
    ),
    _turned(
        "messages[tool].content",
        "content[tool_result].content",
        "results come first, one for each call: a missing one becomes an error, one without a call text",
        REPAIRED_S,
    ),
    _turned(
        "messages[tool].tool_call_id", "content[tool_result].tool_use_id", "in Anthropic's form", REPAIRED_S
    ),
    _lost("messages[tool].name", "", UNSAID_C),
    _turned("messages[function]", "content[tool_result]", "paired by name with the call before"),
    _lost("messages[].name", "", UNSAID_C),
    _turned("messages[assistant].refusal", "content[text]", "as text", CONVERTED),
    _turned("content[refusal]", "content[text]", "as text", CONVERTED),
    _turned(
        "messages[assistant].tool_calls[function]",
        "content[tool_use]",
        "ids and names in Anthropic's form; arguments that are no object below `invalid_json`; an id used twice gets"
        " another",
        REPAIRED,
        REPAIRED_S,
    ),
    _turned(
        "messages[assistant].tool_calls[custom]",
        "content[tool_use]",
        "its text as the argument `input`",
        UNKNOWN_FIELD,
    ),
    _turned(
        "messages[assistant].function_call", "content[tool_use]", "with an id made of the message's number"
    ),
    *_own(("audio", "annotations"), "messages[assistant]."),
    _lost("messages[assistant].reasoning_content", "nobody signed it", FOREIGN),
    _lost("messages[assistant].reasoning", "nobody signed it", FOREIGN),
    _turned(
        "messages[assistant].reasoning_details[reasoning.text]",
        "content[thinking]",
        "if Anthropic signed it",
        FOREIGN,
    ),
    _turned(
        "messages[assistant].reasoning_details[reasoning.encrypted]",
        "content[redacted_thinking]",
        "if it is Anthropic's",
        FOREIGN,
    ),
    _lost("messages[assistant].reasoning_details[reasoning.summary]", "nobody signed it", FOREIGN),
    _lost("messages[assistant].reasoning_details[].id", "", UNSAID_C),
    _lost("messages[assistant].reasoning_details[].format", "", UNSAID_C),
    _kept("content[text].text", "content[text].text"),
    _turned(
        "content[image_url].image_url.url",
        "content[image].source",
        "`https` and data URLs of JPEG, PNG, GIF and WebP; else a note is left",
        UNSAID,
    ),
    _lost("content[image_url].image_url.detail", "unless `auto`", UNSAID_C),
    _lost("content[input_audio]", "a note is left", UNSAID),
    _turned("content[file].file.file_data", "content[document].source", "PDF as it is, text files as text"),
    _kept("content[file].file.filename", "content[document].title"),
    _lost("content[file].file.file_id", "a note is left", UNSAID),
    _kept("….cache_control", "….cache_control", "the last four", CLAMPED),
    _turned(
        "….prompt_cache_breakpoint",
        "….cache_control",
        "an hour where a lifetime is given; the last four",
        CLAMPED,
    ),
)

_CHAT_TOOLS: Final = (
    _turned(
        "tools[function].function.name",
        "tools[].name",
        "in Anthropic's form, and put back in the answer; not a tool that the choice rules out",
        CONVERTED,
    ),
    _kept("tools[function].function.description", "tools[].description"),
    _kept(
        "tools[function].function.parameters",
        "tools[].input_schema",
        "made an object schema; of strict ones what the vendor cannot enforce goes into the description",
        REPAIRED_S,
        REPAIRED,
        CONVERTED,
    ),
    _kept(
        "tools[function].function.strict",
        "tools[].strict",
        "not for a schema of an open object",
        UNSAID,
        CAPABILITY,
    ),
    _turned("functions[]", "tools[]", "as tools"),
    _lost("tools[custom]", "", UNSAID),
    _turned("tool_choice", "tool_choice", "`required` is `any`", CAPABILITY),
    _lost("tool_choice[custom]", "", UNSAID),
    _turned("tool_choice[allowed_tools]", "tool_choice", "the other tools are not shown"),
    _turned("function_call", "tool_choice", "as a tool choice"),
    _turned("parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "the opposite"),
)

# --- Messages -> Chat: requests -------------------------------------------------------------------------

_MESSAGES_REQUEST: Final = (
    _turned("model", "model", "the model that the route names"),
    _turned("max_tokens", "max_completion_tokens", "or `max_tokens`, as the server takes it", CLAMPED),
    _turned("stop_sequences", "stop", "the first four", CLAMPED_S, CAPABILITY),
    _kept("temperature", "temperature", "", CAPABILITY),
    _kept("top_p", "top_p", "", CAPABILITY),
    _lost("top_k", "", UNSAID),
    _turned(
        "thinking",
        "reasoning_effort",
        "the nearest word; off is `none` or the least that the model has",
        CONVERTED,
        CAPABILITY,
        UNSAID_C,
        UNSAID,
    ),
    _lost("thinking.display", "", UNSAID_C),
    _turned("output_config.effort", "reasoning_effort", "the nearest word that the model has", CLAMPED),
    _turned(
        "output_config.format",
        "response_format",
        "strict if the schema is ready for it",
        CONVERTED_S,
        CAPABILITY,
    ),
    _turned("output_format", "response_format", "as `output_config.format`"),
    _lost("output_config.task_budget", "", (LossReason.UNSUPPORTED, severity_of("output_config"))),
    _turned("metadata.user_id", "user", "its SHA-256 above 64 characters", CONVERTED),
    _turned("service_tier", "service_tier", "by table"),
    _kept("stream", "stream"),
    *_own(raw_fields(RequestWire)),
)

_MESSAGES_MESSAGE: Final = (
    _kept("system", "messages[system].content", "the first message"),
    _kept("messages[system].content", "messages[system].content", "in place"),
    _kept("messages[user].content", "messages[user].content"),
    _kept(
        "messages[assistant].content",
        "messages[assistant].content",
        "text after a call comes before it; a last one is not continued",
        CONVERTED,
        CONVERTED_S,
        EMPTY,
    ),
    *_own(("clear_at", "output_config"), "messages[]."),
    _kept("content[text].text", "content[text].text"),
    _turned("content[image].source[url]", "content[image_url].image_url.url", "", CAPABILITY),
    _turned("content[image].source[base64]", "content[image_url].image_url.url", "as a data URL"),
    _lost("content[image].source[file]", "a note is left", UNSAID),
    _turned("content[document].source[base64]", "content[file].file.file_data", "as a data URL"),
    _turned(
        "content[document].source[text]", "content[text].text", "title, context and text in one", CONVERTED
    ),
    _turned("content[document].source[content]", "content[]", "its parts", CONVERTED),
    _turned("content[document].source[url]", "content[text].text", "its address as text", CONVERTED_S),
    _lost("content[document].source[file]", "a note is left", UNSAID),
    _turned("content[document].title", "content[file].file.filename", "or text before the document"),
    _turned("content[document].context", "content[text].text", "text before the document"),
    _lost("content[document].citations", "unless off", UNSAID),
    _turned(
        "content[thinking]",
        "messages[assistant].reasoning_details[reasoning.text]",
        "or `reasoning_content`, to a server that takes reasoning back and signed it",
        FOREIGN,
    ),
    _turned(
        "content[redacted_thinking]",
        "messages[assistant].reasoning_details[reasoning.encrypted]",
        "to a server that takes it back and made it",
        FOREIGN,
    ),
    _turned(
        "content[tool_use]",
        "messages[assistant].tool_calls[function]",
        "input as the text of the arguments; ids and names in OpenAI's form",
        REPAIRED_S,
    ),
    _turned(
        "content[tool_result]",
        "messages[tool].content",
        "a message for each; images and files go into the user's message that follows",
        CONVERTED,
        REPAIRED_S,
    ),
    _turned("content[tool_result].is_error", "messages[tool].content", "`Error:` before the text", CONVERTED),
    _lost("….cache_control", "Chat caches by itself; one loss stands for all marks", UNSAID_C),
    _lost("….cache_control.scope", "", UNKNOWN_FIELD_C),
    *_own(("citations", "transformations", "caller", "toolset_name"), "…."),
)

_MESSAGES_TOOLS: Final = (
    _turned(
        "tools[].name", "tools[function].function.name", "at most 64 characters, and put back in the answer"
    ),
    _kept("tools[].description", "tools[function].function.description"),
    _kept(
        "tools[].input_schema",
        "tools[function].function.parameters",
        "an array without `items` gets some",
        REPAIRED,
    ),
    _kept(
        "tools[].strict",
        "tools[function].function.strict",
        "if the schema is ready for it",
        CONVERTED_S,
        CAPABILITY,
    ),
    *_own(tuple(name for name in raw_fields(ToolWire) if name != "input_schema"), "tools[]."),
    _turned(
        "tools[].type", "tools[].type", "`custom` is a function; the vendor's own tools are lost", UNSAID
    ),
    _turned("tool_choice", "tool_choice", "`any` is `required`", UNSAID),
    _turned("tool_choice.disable_parallel_tool_use", "parallel_tool_calls", "the opposite"),
)

# --- Messages -> Chat: answers --------------------------------------------------------------------------

_MESSAGES_ANSWER: Final = (
    _turned("id", "id", "a new one in OpenAI's form"),
    _turned("type", "object", "`chat.completion`"),
    _kept("role", "choices[].message.role"),
    _kept("model", "model"),
    _kept("content[text].text", "choices[].message.content", "all text in one"),
    _kept(
        "content[thinking].thinking",
        "choices[].message.reasoning_content",
        "also as `reasoning_details`, in the order of the blocks",
    ),
    _kept(
        "content[thinking].signature", "choices[].message.reasoning_details[].signature", "with its issuer"
    ),
    _kept("content[redacted_thinking]", "choices[].message.reasoning_details[].data", "with its issuer"),
    _turned(
        "content[tool_use]",
        "choices[].message.tool_calls[function]",
        "input as the text of the arguments; the client's own name of the tool; the forced tool's input is the text",
    ),
    _lost("content[]", "the vendor's own tools and their results", UNKNOWN_PART),
    *_own(("citations", "caller", "toolset_name"), "…."),
    _turned("stop_reason", "choices[].finish_reason", "by table", CONVERTED_S, UNKNOWN_FIELD),
    _lost("stop_sequence", "", UNSAID_C),
    *_own(raw_fields(ResponseWire)),
)

_MESSAGES_USAGE: Final = (
    _turned("usage.input_tokens", "usage.prompt_tokens", "with what was read from and written to the cache"),
    _kept("usage.output_tokens", "usage.completion_tokens"),
    _kept("usage.cache_read_input_tokens", "usage.prompt_tokens_details.cached_tokens"),
    _kept("usage.cache_creation_input_tokens", "usage.prompt_tokens_details.cache_write_tokens"),
    _turned("usage.cache_creation", "usage.prompt_tokens_details.cache_write_tokens", "their sum"),
    _kept("usage.output_tokens_details.thinking_tokens", "usage.completion_tokens_details.reasoning_tokens"),
    _lost("usage.server_tool_use", "the ledger has it", UNSAID_C),
    _turned("usage.service_tier", "service_tier", "by table", UNSAID_C),
    _turned("usage", "", "figures that Chat has no word for are in the others"),
)

_MESSAGES_STREAM: Final = (
    _turned("message_start", "delta.role", "the first chunk"),
    _turned("content_block_start[text]", "delta.content", "with its first fragment"),
    _turned("content_block_start[thinking]", "delta.reasoning_content", "with its first fragment"),
    _turned("content_block_start[redacted_thinking]", "delta.reasoning_details", "at once"),
    _turned("content_block_start[tool_use]", "delta.tool_calls", "id and name"),
    _lost("content_block_start[]", "blocks of the vendor's own, whole", UNKNOWN_PART),
    _turned("content_block_delta[text_delta]", "delta.content", "each as it comes"),
    _turned("content_block_delta[input_json_delta]", "delta.tool_calls", "each as it comes"),
    _turned("content_block_delta[thinking_delta]", "delta.reasoning_content", "and `reasoning_details`"),
    _turned("content_block_delta[signature_delta]", "delta.reasoning_details", "with its issuer"),
    _lost("content_block_delta[citations_delta]", "once for each block", UNSAID),
    _turned("content_block_stop", "", "nothing, or `{}` for a call without arguments"),
    _turned("message_delta", "finish_reason", "and the usage chunk if the client asked for it"),
    _turned("message_stop", "[DONE]", ""),
    _turned("ping", "", "nothing"),
    _turned("error", "error", "a chunk with `error`; no `[DONE]` follows"),
)

# --- Chat -> Messages: answers --------------------------------------------------------------------------

_CHAT_ANSWER: Final = (
    _turned("id", "id", "with `msg_` before it"),
    _turned("object", "type", "`message`"),
    _turned("created", "", "Messages has no time"),
    _kept("model", "model"),
    _turned("service_tier", "usage.service_tier", "by table", UNSAID_C),
    *_own(("system_fingerprint", "moderation")),
    _turned("metadata", "", "what the request said"),
    _turned("choices[].index", "", "the first choice"),
    _lost("choices[further]", "", UNSAID),
    _kept("choices[].message.role", "role"),
    _kept("choices[].message.content", "content[text].text"),
    _kept("choices[].message.refusal", "content[text].text", "with stop reason `refusal`"),
    _turned(
        "choices[].message.tool_calls[function]",
        "content[tool_use]",
        "arguments as the input; what is no object below `invalid_json`; the client's own name of the tool",
        REPAIRED,
    ),
    _turned(
        "choices[].message.tool_calls[custom]", "content[tool_use]", "its text as `input`", UNKNOWN_FIELD
    ),
    _turned("choices[].message.function_call", "content[tool_use]", "with an id made of the answer's"),
    _kept("choices[].message.reasoning_content", "content[thinking].thinking"),
    _kept("choices[].message.reasoning", "content[thinking].thinking", "if `reasoning_content` is absent"),
    _kept(
        "choices[].message.reasoning_details[reasoning.text]",
        "content[thinking]",
        "the signature as `tgw:ISSUER:SIGNATURE`",
    ),
    _kept("choices[].message.reasoning_details[reasoning.summary]", "content[thinking]", ""),
    _turned(
        "choices[].message.reasoning_details[reasoning.encrypted]",
        "content[redacted_thinking]",
        "as `tgw:ISSUER:DATA`",
    ),
    *_own(("id", "format"), "choices[].message.reasoning_details[]."),
    *_own(("annotations", "audio"), "choices[].message."),
    _lost("choices[].logprobs", "", UNSAID),
    _turned("choices[].finish_reason", "stop_reason", "by table; what the answer holds decides", REPAIRED),
)

_CHAT_USAGE: Final = (
    _turned(
        "usage.prompt_tokens", "usage.input_tokens", "without what was read from and written to the cache"
    ),
    _kept("usage.completion_tokens", "usage.output_tokens"),
    _turned("usage.total_tokens", "", "the sum of the others"),
    _kept("usage.prompt_tokens_details.cached_tokens", "usage.cache_read_input_tokens"),
    _kept("usage.prompt_tokens_details.cache_write_tokens", "usage.cache_creation_input_tokens"),
    _lost("usage.prompt_tokens_details.audio_tokens", "a part of the input", UNSAID_C),
    _lost("usage.completion_tokens_details.audio_tokens", "a part of the output", UNSAID_C),
    _kept("usage.completion_tokens_details.reasoning_tokens", "usage.output_tokens_details.thinking_tokens"),
    _turned("usage.completion_tokens_details", "", "a part of the output"),
    _turned("usage.prompt_cache_hit_tokens", "usage.cache_read_input_tokens", "DeepSeek's word"),
    _turned("usage.cached_tokens", "usage.cache_read_input_tokens", "Moonshot's word"),
)

_CHAT_STREAM: Final = (
    _turned("delta.role", "message_start", "its input is an estimate: Chat counts at the end"),
    _turned("delta.content", "content_block_delta[text_delta]", "a block opens with the first"),
    _turned("delta.refusal", "content_block_delta[text_delta]", "a block of text"),
    _turned("delta.reasoning_content", "content_block_delta[thinking_delta]", "a block opens with the first"),
    _turned("delta.reasoning", "content_block_delta[thinking_delta]", "a block opens with the first"),
    _turned(
        "delta.reasoning_details",
        "content_block_delta[signature_delta]",
        "text, signature and encrypted data, each in its block",
    ),
    _turned(
        "delta.tool_calls",
        "content_block_delta[input_json_delta]",
        "each call in its block, one after the other: the fragments of a later one wait for the earlier",
    ),
    _turned("delta.function_call", "content_block_delta[input_json_delta]", "as a tool call"),
    _turned("finish_reason", "message_delta", "held until the usage has come"),
    _turned("usage", "message_delta", "the true figures"),
    _turned("[DONE]", "message_stop", ""),
    _turned("error", "error", "nothing follows"),
)

MATRIX: Final[Mapping[tuple[ProtocolId, Section], tuple[Row, ...]]] = {
    (ProtocolId.OPENAI_CHAT, Section.REQUEST): _CHAT_REQUEST,
    (ProtocolId.OPENAI_CHAT, Section.MESSAGE): _CHAT_MESSAGE,
    (ProtocolId.OPENAI_CHAT, Section.TOOLS): _CHAT_TOOLS,
    (ProtocolId.ANTHROPIC, Section.REQUEST): _MESSAGES_REQUEST,
    (ProtocolId.ANTHROPIC, Section.MESSAGE): _MESSAGES_MESSAGE,
    (ProtocolId.ANTHROPIC, Section.TOOLS): _MESSAGES_TOOLS,
    (ProtocolId.ANTHROPIC, Section.ANSWER): _MESSAGES_ANSWER,
    (ProtocolId.ANTHROPIC, Section.USAGE): _MESSAGES_USAGE,
    (ProtocolId.ANTHROPIC, Section.STREAM): _MESSAGES_STREAM,
    (ProtocolId.OPENAI_CHAT, Section.ANSWER): _CHAT_ANSWER,
    (ProtocolId.OPENAI_CHAT, Section.USAGE): _CHAT_USAGE,
    (ProtocolId.OPENAI_CHAT, Section.STREAM): _CHAT_STREAM,
}
"""Protocol that says it, what it is -> its rows."""

ANYWHERE: Final = (
    Row("(a field that nobody knows)", Fate.LOST, losses=(UNKNOWN_FIELD, UNKNOWN_FIELD_C)),
    Row("(a content part that nobody knows)", Fate.LOST, losses=(UNKNOWN_PART,)),
)
"""What is new, in either protocol."""


# --- words ----------------------------------------------------------------------------------------------


def _stops(words: Mapping[str, FinishReason], said: Mapping[FinishReason, str]) -> tuple[Row, ...]:
    return tuple(_turned(word, said[finish], "", *_of_chat(finish, said)) for word, finish in words.items())


def _of_chat(finish: FinishReason, said: Mapping[FinishReason, str]) -> Iterator[LossKind]:
    if said is FINISH_REASON:
        yield from ((loss.reason, loss.severity) for loss in finish_losses(finish, None))


def _tiers(own: Mapping[str, str], said: Mapping[str, str]) -> tuple[Row, ...]:
    """`own`: the table into the protocol that says the word, whose values are all its words; `said`: into the other."""
    words = sorted(set(own.values()))
    return tuple(
        _turned(word, said[word], "") if word in said else _lost(word, "", UNSAID_C) for word in words
    )


WORDS: Final[Mapping[tuple[ProtocolId, str], tuple[Row, ...]]] = {
    (ProtocolId.ANTHROPIC, "Stop reasons"): _stops(ANTHROPIC_FINISH, FINISH_REASON),
    (ProtocolId.OPENAI_CHAT, "Finish reasons"): _stops(CHAT_FINISH, STOP_REASON_OF),
    (ProtocolId.OPENAI_CHAT, "Service tier asked for"): _tiers(SERVICE_TIER, REQUEST_TIER_OF),
    (ProtocolId.ANTHROPIC, "Service tier asked for"): _tiers(REQUEST_TIER_OF, SERVICE_TIER),
    (ProtocolId.ANTHROPIC, "Service tier that served"): _tiers(ANSWER_TIER_OF, ANSWER_TIER),
    (ProtocolId.OPENAI_CHAT, "Service tier that served"): _tiers(ANSWER_TIER, ANSWER_TIER_OF),
    (ProtocolId.OPENAI_CHAT, "Reasoning effort"): tuple(
        _turned(word, f"{budget:,} tokens", "at most `max_tokens` - 1") for word, budget in BUDGETS.items()
    ),
}
"""Protocol that says it, what the word is for -> word and word on the other side."""
