"""Chat Completions and Messages, each in the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokligence.conversation import FinishReason, LossReason, ProtocolId
from tokligence.wire.anthropic.tables import (
    ANSWER_TIER_OF,
    REQUEST_TIER_OF,
    SAMPLING_LOSS,
    STOP_REASON_OF,
)
from tokligence.wire.anthropic.tables import FINISH_OF as ANTHROPIC_FINISH
from tokligence.wire.anthropic.types import RequestWire, ResponseWire, ToolWire
from tokligence.wire.effort import BUDGETS
from tokligence.wire.matrix.rows import (
    CAPABILITY,
    CLAMPED,
    CLAMPED_S,
    CONVERTED,
    CONVERTED_S,
    EMPTY,
    FOREIGN,
    REPAIRED,
    REPAIRED_S,
    UNKNOWN_FIELD,
    UNKNOWN_FIELD_C,
    UNKNOWN_PART,
    UNSAID,
    UNSAID_C,
    LossKind,
    Rows,
    Section,
    Words,
    kept,
    lost,
    own,
    raw_fields,
    stops,
    tiers,
    turned,
)
from tokligence.wire.openai.tiers import ANSWER_TIER, SERVICE_TIER
from tokligence.wire.openai_chat.tables import FINISH_OF as CHAT_FINISH
from tokligence.wire.openai_chat.tables import FINISH_REASON
from tokligence.wire.openai_chat.types import KEPT_RAW
from tokligence.wire.openai_chat.write_answer import finish_losses
from tokligence.wire.severity import severity_of

_CHAT: Final = ProtocolId.OPENAI_CHAT
_MESSAGES: Final = ProtocolId.ANTHROPIC

# --- Chat -> Messages: requests -------------------------------------------------------------------------

_CHAT_REQUEST: Final = (
    turned("model", "model", "the model that the route names"),
    turned(
        "max_completion_tokens",
        "max_tokens",
        "the catalogue's limit where none is given; raised where thinking needs more",
        CLAMPED,
        CLAMPED_S,
    ),
    turned(
        "max_tokens",
        "max_tokens",
        "does not count beside `max_completion_tokens`; raised where thinking needs more",
        CONVERTED,
        CLAMPED,
        CLAMPED_S,
    ),
    turned("stop", "stop_sequences", "blank ones are refused by Anthropic", UNSAID),
    kept("temperature", "temperature", "at most 1; not beside thinking", CLAMPED_S, CAPABILITY),
    kept("top_p", "top_p", "not beside temperature on models that take one of them", CAPABILITY),
    kept("top_k", "top_k", "not beside thinking", CAPABILITY),
    *(
        lost(name, "unless it asks for nothing", (LossReason.UNSUPPORTED, weight))
        for name, weight in SAMPLING_LOSS.items()
    ),
    turned(
        "response_format",
        "output_config.format",
        "natively, else by a tool that must be called, whose input is the answer's text",
        CONVERTED,
        CONVERTED_S,
        UNSAID,
        REPAIRED_S,
    ),
    lost("response_format[json_schema].json_schema.name", "", UNSAID_C),
    turned(
        "response_format[json_schema].json_schema.description",
        "output_config.format.schema.description",
        "joins the schema's own",
    ),
    turned("response_format[json_schema].json_schema.strict", "", "Anthropic enforces every schema"),
    turned(
        "reasoning_effort",
        "thinking",
        "a budget, or an effort where the model thinks adaptively; excluded by a forced tool and by a tool loop"
        " that began without thinking",
        CLAMPED,
        CAPABILITY,
        UNSAID,
    ),
    turned("reasoning", "thinking", "a budget is taken as it is"),
    turned("reasoning.exclude", "thinking.display", "`omitted`"),
    lost("reasoning.summary", "", UNSAID_C),
    lost("verbosity", "unless `medium`", UNSAID),
    turned("service_tier", "service_tier", "by table", UNSAID_C),
    turned("user", "metadata.user_id", "its SHA-256 above 256 characters", CONVERTED),
    lost("metadata", "", UNSAID_C),
    kept("stream", "stream"),
    turned("stream_options.include_usage", "", "the gateway writes the usage chunk"),
    lost("stream_options.include_obfuscation", "", UNSAID_C),
    *own(KEPT_RAW),
)

_CHAT_MESSAGE: Final = (
    turned(
        "messages[system].content",
        "system",
        "at the start; later said by the user between `<system>` and `</system>`, or in place where the model takes it",
        CONVERTED,
    ),
    turned("messages[developer].content", "system", "as a system message"),
    kept(
        "messages[user].content",
        "messages[user].content",
        "turns of one role in a row are one message",
        EMPTY,
    ),
    kept(
        "messages[assistant].content",
        "messages[assistant].content",
        "a first one follows a made-up user's message; white space at the end of a last one goes",
        REPAIRED,
    ),
    turned(
        "messages[tool].content",
        "content[tool_result].content",
        "results come first, one for each call: a missing one becomes an error, one without a call text",
        REPAIRED_S,
    ),
    turned(
        "messages[tool].tool_call_id", "content[tool_result].tool_use_id", "in Anthropic's form", REPAIRED_S
    ),
    lost("messages[tool].name", "", UNSAID_C),
    turned("messages[function]", "content[tool_result]", "paired by name with the call before"),
    lost("messages[].name", "", UNSAID_C),
    turned("messages[assistant].refusal", "content[text]", "as text", CONVERTED),
    turned("content[refusal]", "content[text]", "as text", CONVERTED),
    turned(
        "messages[assistant].tool_calls[function]",
        "content[tool_use]",
        "ids and names in Anthropic's form; arguments that are no object below `invalid_json`; an id used twice gets"
        " another",
        REPAIRED,
        REPAIRED_S,
    ),
    turned(
        "messages[assistant].tool_calls[custom]",
        "content[tool_use]",
        "its text as the argument `input`",
        UNKNOWN_FIELD,
    ),
    turned(
        "messages[assistant].function_call", "content[tool_use]", "with an id made of the message's number"
    ),
    *own(("audio", "annotations"), "messages[assistant]."),
    lost("messages[assistant].reasoning_content", "nobody signed it", FOREIGN),
    lost("messages[assistant].reasoning", "nobody signed it", FOREIGN),
    turned(
        "messages[assistant].reasoning_details[reasoning.text]",
        "content[thinking]",
        "if Anthropic signed it",
        FOREIGN,
    ),
    turned(
        "messages[assistant].reasoning_details[reasoning.encrypted]",
        "content[redacted_thinking]",
        "if it is Anthropic's",
        FOREIGN,
    ),
    lost("messages[assistant].reasoning_details[reasoning.summary]", "nobody signed it", FOREIGN),
    lost("messages[assistant].reasoning_details[].id", "", UNSAID_C),
    lost("messages[assistant].reasoning_details[].format", "", UNSAID_C),
    kept("content[text].text", "content[text].text"),
    turned(
        "content[image_url].image_url.url",
        "content[image].source",
        "`https` and data URLs of JPEG, PNG, GIF and WebP; else a note is left",
        UNSAID,
    ),
    lost("content[image_url].image_url.detail", "unless `auto`", UNSAID_C),
    lost("content[input_audio]", "a note is left", UNSAID),
    turned("content[file].file.file_data", "content[document].source", "PDF as it is, text files as text"),
    kept("content[file].file.filename", "content[document].title"),
    lost("content[file].file.file_id", "a note is left", UNSAID),
    kept("….cache_control", "….cache_control", "the last four", CLAMPED),
    turned(
        "….prompt_cache_breakpoint",
        "….cache_control",
        "an hour where a lifetime is given; the last four",
        CLAMPED,
    ),
)

_CHAT_TOOLS: Final = (
    turned(
        "tools[function].function.name",
        "tools[].name",
        "in Anthropic's form, and put back in the answer; not a tool that the choice rules out",
        CONVERTED,
    ),
    kept("tools[function].function.description", "tools[].description"),
    kept(
        "tools[function].function.parameters",
        "tools[].input_schema",
        "made an object schema; of strict ones what the vendor cannot enforce goes into the description",
        REPAIRED_S,
        REPAIRED,
        CONVERTED,
    ),
    kept(
        "tools[function].function.strict",
        "tools[].strict",
        "not for a schema of an open object",
        UNSAID,
        CAPABILITY,
    ),
    turned("functions[]", "tools[]", "as tools"),
    lost("tools[custom]", "", UNSAID),
    turned("tool_choice", "tool_choice", "`required` is `any`", CAPABILITY),
    lost("tool_choice[custom]", "", UNSAID),
    turned("tool_choice[allowed_tools]", "tool_choice", "the other tools are not shown"),
    turned("function_call", "tool_choice", "as a tool choice"),
    turned("parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "the opposite"),
)

# --- Messages -> Chat: requests -------------------------------------------------------------------------

_MESSAGES_REQUEST: Final = (
    turned("model", "model", "the model that the route names"),
    turned("max_tokens", "max_completion_tokens", "or `max_tokens`, as the server takes it", CLAMPED),
    turned("stop_sequences", "stop", "the first four", CLAMPED_S, CAPABILITY),
    kept("temperature", "temperature", "", CAPABILITY),
    kept("top_p", "top_p", "", CAPABILITY),
    lost("top_k", "", UNSAID),
    turned(
        "thinking",
        "reasoning_effort",
        "the nearest word; off is `none` or the least that the model has",
        CONVERTED,
        CAPABILITY,
        UNSAID_C,
        UNSAID,
    ),
    lost("thinking.display", "", UNSAID_C),
    turned("output_config.effort", "reasoning_effort", "the nearest word that the model has", CLAMPED),
    turned(
        "output_config.format",
        "response_format",
        "strict if the schema is ready for it",
        CONVERTED_S,
        CAPABILITY,
    ),
    turned("output_format", "response_format", "as `output_config.format`"),
    lost("output_config.task_budget", "", (LossReason.UNSUPPORTED, severity_of("output_config"))),
    turned("metadata.user_id", "user", "its SHA-256 above 64 characters", CONVERTED),
    turned("service_tier", "service_tier", "by table"),
    kept("stream", "stream"),
    *own(raw_fields(RequestWire)),
)

_MESSAGES_MESSAGE: Final = (
    kept("system", "messages[system].content", "the first message"),
    kept("messages[system].content", "messages[system].content", "in place"),
    kept("messages[user].content", "messages[user].content"),
    kept(
        "messages[assistant].content",
        "messages[assistant].content",
        "text after a call comes before it; a last one is not continued",
        CONVERTED,
        CONVERTED_S,
        EMPTY,
    ),
    *own(("clear_at", "output_config"), "messages[]."),
    kept("content[text].text", "content[text].text"),
    turned("content[image].source[url]", "content[image_url].image_url.url", "", CAPABILITY),
    turned("content[image].source[base64]", "content[image_url].image_url.url", "as a data URL"),
    lost("content[image].source[file]", "a note is left", UNSAID),
    turned("content[document].source[base64]", "content[file].file.file_data", "as a data URL"),
    turned(
        "content[document].source[text]", "content[text].text", "title, context and text in one", CONVERTED
    ),
    turned("content[document].source[content]", "content[]", "its parts", CONVERTED),
    turned("content[document].source[url]", "content[text].text", "its address as text", CONVERTED_S),
    lost("content[document].source[file]", "a note is left", UNSAID),
    turned("content[document].title", "content[file].file.filename", "or text before the document"),
    turned("content[document].context", "content[text].text", "text before the document"),
    lost("content[document].citations", "unless off", UNSAID),
    turned(
        "content[thinking]",
        "messages[assistant].reasoning_details[reasoning.text]",
        "or `reasoning_content`, to a server that takes reasoning back and signed it",
        FOREIGN,
    ),
    turned(
        "content[redacted_thinking]",
        "messages[assistant].reasoning_details[reasoning.encrypted]",
        "to a server that takes it back and made it",
        FOREIGN,
    ),
    turned(
        "content[tool_use]",
        "messages[assistant].tool_calls[function]",
        "input as the text of the arguments; ids and names in OpenAI's form",
        REPAIRED_S,
    ),
    turned(
        "content[tool_result]",
        "messages[tool].content",
        "a message for each; images and files go into the user's message that follows",
        CONVERTED,
        REPAIRED_S,
    ),
    turned("content[tool_result].is_error", "messages[tool].content", "`Error:` before the text", CONVERTED),
    lost("….cache_control", "Chat caches by itself; one loss stands for all marks", UNSAID_C),
    lost("….cache_control.scope", "", UNKNOWN_FIELD_C),
    *own(("citations", "transformations", "caller", "toolset_name"), "…."),
)

_MESSAGES_TOOLS: Final = (
    turned(
        "tools[].name", "tools[function].function.name", "at most 64 characters, and put back in the answer"
    ),
    kept("tools[].description", "tools[function].function.description"),
    kept(
        "tools[].input_schema",
        "tools[function].function.parameters",
        "an array without `items` gets some",
        REPAIRED,
    ),
    kept(
        "tools[].strict",
        "tools[function].function.strict",
        "if the schema is ready for it",
        CONVERTED_S,
        CAPABILITY,
    ),
    *own(tuple(name for name in raw_fields(ToolWire) if name != "input_schema"), "tools[]."),
    turned("tools[].type", "tools[].type", "`custom` is a function; the vendor's own tools are lost", UNSAID),
    turned("tool_choice", "tool_choice", "`any` is `required`", UNSAID),
    turned("tool_choice.disable_parallel_tool_use", "parallel_tool_calls", "the opposite"),
)

# --- Messages -> Chat: answers --------------------------------------------------------------------------

_MESSAGES_ANSWER: Final = (
    turned("id", "id", "a new one in OpenAI's form"),
    turned("type", "object", "`chat.completion`"),
    kept("role", "choices[].message.role"),
    kept("model", "model"),
    kept("content[text].text", "choices[].message.content", "all text in one"),
    kept(
        "content[thinking].thinking",
        "choices[].message.reasoning_content",
        "also as `reasoning_details`, in the order of the blocks",
    ),
    kept("content[thinking].signature", "choices[].message.reasoning_details[].signature", "with its issuer"),
    kept("content[redacted_thinking]", "choices[].message.reasoning_details[].data", "with its issuer"),
    turned(
        "content[tool_use]",
        "choices[].message.tool_calls[function]",
        "input as the text of the arguments; the client's own name of the tool; the forced tool's input is the text",
    ),
    lost("content[]", "the vendor's own tools and their results", UNKNOWN_PART),
    *own(("citations", "caller", "toolset_name"), "…."),
    turned("stop_reason", "choices[].finish_reason", "by table", CONVERTED_S, UNKNOWN_FIELD),
    lost("stop_sequence", "", UNSAID_C),
    *own(raw_fields(ResponseWire)),
)

_MESSAGES_USAGE: Final = (
    turned("usage.input_tokens", "usage.prompt_tokens", "with what was read from and written to the cache"),
    kept("usage.output_tokens", "usage.completion_tokens"),
    kept("usage.cache_read_input_tokens", "usage.prompt_tokens_details.cached_tokens"),
    kept("usage.cache_creation_input_tokens", "usage.prompt_tokens_details.cache_write_tokens"),
    turned("usage.cache_creation", "usage.prompt_tokens_details.cache_write_tokens", "their sum"),
    kept("usage.output_tokens_details.thinking_tokens", "usage.completion_tokens_details.reasoning_tokens"),
    lost("usage.server_tool_use", "the ledger has it", UNSAID_C),
    turned("usage.service_tier", "service_tier", "by table", UNSAID_C),
    turned("usage", "", "figures that Chat has no word for are in the others"),
)

_MESSAGES_STREAM: Final = (
    turned("message_start", "delta.role", "the first chunk"),
    turned("content_block_start[text]", "delta.content", "with its first fragment"),
    turned("content_block_start[thinking]", "delta.reasoning_content", "with its first fragment"),
    turned("content_block_start[redacted_thinking]", "delta.reasoning_details", "at once"),
    turned("content_block_start[tool_use]", "delta.tool_calls", "id and name"),
    lost("content_block_start[]", "blocks of the vendor's own, whole", UNKNOWN_PART),
    turned("content_block_delta[text_delta]", "delta.content", "each as it comes"),
    turned("content_block_delta[input_json_delta]", "delta.tool_calls", "each as it comes"),
    turned("content_block_delta[thinking_delta]", "delta.reasoning_content", "and `reasoning_details`"),
    turned("content_block_delta[signature_delta]", "delta.reasoning_details", "with its issuer"),
    lost("content_block_delta[citations_delta]", "once for each block", UNSAID),
    turned("content_block_stop", "", "nothing, or `{}` for a call without arguments"),
    turned("message_delta", "finish_reason", "and the usage chunk if the client asked for it"),
    turned("message_stop", "[DONE]", ""),
    turned("ping", "", "nothing"),
    turned("error", "error", "a chunk with `error`; no `[DONE]` follows"),
)

# --- Chat -> Messages: answers --------------------------------------------------------------------------

_CHAT_ANSWER: Final = (
    turned("id", "id", "with `msg_` before it"),
    turned("object", "type", "`message`"),
    turned("created", "", "Messages has no time"),
    kept("model", "model"),
    turned("service_tier", "usage.service_tier", "by table", UNSAID_C),
    *own(("system_fingerprint", "moderation")),
    turned("metadata", "", "what the request said"),
    turned("choices[].index", "", "the first choice"),
    lost("choices[further]", "", UNSAID),
    kept("choices[].message.role", "role"),
    kept("choices[].message.content", "content[text].text"),
    kept("choices[].message.refusal", "content[text].text", "with stop reason `refusal`"),
    turned(
        "choices[].message.tool_calls[function]",
        "content[tool_use]",
        "arguments as the input; what is no object below `invalid_json`; the client's own name of the tool",
        REPAIRED,
    ),
    turned("choices[].message.tool_calls[custom]", "content[tool_use]", "its text as `input`", UNKNOWN_FIELD),
    turned("choices[].message.function_call", "content[tool_use]", "with an id made of the answer's"),
    kept("choices[].message.reasoning_content", "content[thinking].thinking"),
    kept("choices[].message.reasoning", "content[thinking].thinking", "if `reasoning_content` is absent"),
    kept(
        "choices[].message.reasoning_details[reasoning.text]",
        "content[thinking]",
        "the signature as `tgw:ISSUER:SIGNATURE`",
    ),
    kept("choices[].message.reasoning_details[reasoning.summary]", "content[thinking]", ""),
    turned(
        "choices[].message.reasoning_details[reasoning.encrypted]",
        "content[redacted_thinking]",
        "as `tgw:ISSUER:DATA`",
    ),
    *own(("id", "format"), "choices[].message.reasoning_details[]."),
    *own(("annotations", "audio"), "choices[].message."),
    lost("choices[].logprobs", "", UNSAID),
    turned("choices[].finish_reason", "stop_reason", "by table; what the answer holds decides", REPAIRED),
)

_CHAT_USAGE: Final = (
    turned(
        "usage.prompt_tokens", "usage.input_tokens", "without what was read from and written to the cache"
    ),
    kept("usage.completion_tokens", "usage.output_tokens"),
    turned("usage.total_tokens", "", "the sum of the others"),
    kept("usage.prompt_tokens_details.cached_tokens", "usage.cache_read_input_tokens"),
    kept("usage.prompt_tokens_details.cache_write_tokens", "usage.cache_creation_input_tokens"),
    lost("usage.prompt_tokens_details.audio_tokens", "a part of the input", UNSAID_C),
    lost("usage.completion_tokens_details.audio_tokens", "a part of the output", UNSAID_C),
    kept("usage.completion_tokens_details.reasoning_tokens", "usage.output_tokens_details.thinking_tokens"),
    turned("usage.completion_tokens_details", "", "a part of the output"),
    turned("usage.prompt_cache_hit_tokens", "usage.cache_read_input_tokens", "DeepSeek's word"),
    turned("usage.cached_tokens", "usage.cache_read_input_tokens", "Moonshot's word"),
)

_CHAT_STREAM: Final = (
    turned("delta.role", "message_start", "its input is an estimate: Chat counts at the end"),
    turned("delta.content", "content_block_delta[text_delta]", "a block opens with the first"),
    turned("delta.refusal", "content_block_delta[text_delta]", "a block of text"),
    turned("delta.reasoning_content", "content_block_delta[thinking_delta]", "a block opens with the first"),
    turned("delta.reasoning", "content_block_delta[thinking_delta]", "a block opens with the first"),
    turned(
        "delta.reasoning_details",
        "content_block_delta[signature_delta]",
        "text, signature and encrypted data, each in its block",
    ),
    turned(
        "delta.tool_calls",
        "content_block_delta[input_json_delta]",
        "each call in its block, one after the other: the fragments of a later one wait for the earlier",
    ),
    turned("delta.function_call", "content_block_delta[input_json_delta]", "as a tool call"),
    turned("finish_reason", "message_delta", "held until the usage has come"),
    turned("usage", "message_delta", "the true figures"),
    turned("[DONE]", "message_stop", ""),
    turned("error", "error", "nothing follows"),
)

ROWS: Final[Rows] = {
    (_CHAT, _MESSAGES, Section.REQUEST): _CHAT_REQUEST,
    (_CHAT, _MESSAGES, Section.MESSAGE): _CHAT_MESSAGE,
    (_CHAT, _MESSAGES, Section.TOOLS): _CHAT_TOOLS,
    (_MESSAGES, _CHAT, Section.REQUEST): _MESSAGES_REQUEST,
    (_MESSAGES, _CHAT, Section.MESSAGE): _MESSAGES_MESSAGE,
    (_MESSAGES, _CHAT, Section.TOOLS): _MESSAGES_TOOLS,
    (_MESSAGES, _CHAT, Section.ANSWER): _MESSAGES_ANSWER,
    (_MESSAGES, _CHAT, Section.USAGE): _MESSAGES_USAGE,
    (_MESSAGES, _CHAT, Section.STREAM): _MESSAGES_STREAM,
    (_CHAT, _MESSAGES, Section.ANSWER): _CHAT_ANSWER,
    (_CHAT, _MESSAGES, Section.USAGE): _CHAT_USAGE,
    (_CHAT, _MESSAGES, Section.STREAM): _CHAT_STREAM,
}

# --- words ----------------------------------------------------------------------------------------------

UNSAID_BY_CHAT: Final[Mapping[FinishReason, tuple[LossKind, ...]]] = {
    finish: tuple((loss.reason, loss.severity) for loss in finish_losses(finish, None))
    for finish in FinishReason
}
"""What a finish means that Chat has no word for."""

WORDS: Final[Words] = {
    (_MESSAGES, _CHAT, "Stop reasons"): stops(ANTHROPIC_FINISH, FINISH_REASON, UNSAID_BY_CHAT),
    (_CHAT, _MESSAGES, "Finish reasons"): stops(CHAT_FINISH, STOP_REASON_OF),
    (_CHAT, _MESSAGES, "Service tier asked for"): tiers(SERVICE_TIER, REQUEST_TIER_OF),
    (_MESSAGES, _CHAT, "Service tier asked for"): tiers(REQUEST_TIER_OF, SERVICE_TIER),
    (_MESSAGES, _CHAT, "Service tier that served"): tiers(ANSWER_TIER_OF, ANSWER_TIER),
    (_CHAT, _MESSAGES, "Service tier that served"): tiers(ANSWER_TIER, ANSWER_TIER_OF),
    (_CHAT, _MESSAGES, "Reasoning effort"): tuple(
        turned(word, f"{budget:,} tokens", "at most `max_tokens` - 1") for word, budget in BUDGETS.items()
    ),
}
