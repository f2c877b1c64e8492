"""Chat Completions and Responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokligence.conversation import FinishReason, ProtocolId
from tokligence.wire.matrix import responses
from tokligence.wire.matrix.rows import (
    CAPABILITY,
    CLAMPED,
    CONVERTED,
    CONVERTED_S,
    EMPTY,
    FOREIGN,
    REPAIRED,
    REPAIRED_S,
    UNKNOWN_FIELD,
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
    stops,
    turned,
)
from tokligence.wire.openai.family import SHARED
from tokligence.wire.openai.tiers import ANSWER_TIER, SERVICE_TIER
from tokligence.wire.openai_chat.tables import FINISH_OF as CHAT_FINISH
from tokligence.wire.openai_chat.tables import FINISH_REASON
from tokligence.wire.openai_chat.types import KEPT_RAW
from tokligence.wire.openai_responses.tables import FINISH_OF, INCOMPLETE_REASON

_CHAT, _RESPONSES = ProtocolId.OPENAI_CHAT, ProtocolId.OPENAI_RESPONSES

# --- Chat -> Responses: requests ------------------------------------------------------------------------

_CHAT_REQUEST: Final = (
    turned("model", "model", "the model that the route names"),
    turned("max_completion_tokens", "max_output_tokens", "at least 16, at most the model's", CLAMPED),
    turned(
        "max_tokens", "max_output_tokens", "does not count beside `max_completion_tokens`", CLAMPED, CONVERTED
    ),
    lost("stop", "", UNSAID),
    kept("temperature", "temperature", "", CAPABILITY),
    kept("top_p", "top_p", "", CAPABILITY),
    turned("logprobs", "include", "`message.output_text.logprobs`"),
    kept("top_logprobs", "top_logprobs"),
    lost("top_k", "", UNSAID),
    *(
        lost(name, "unless it asks for nothing", UNSAID)
        for name in ("frequency_penalty", "presence_penalty", "n", "logit_bias")
    ),
    lost("seed", "", UNSAID_C),
    turned("response_format", "text.format", "strict if the schema is ready for it", CONVERTED_S),
    turned(
        "reasoning_effort",
        "reasoning.effort",
        "the nearest word that the model has",
        CLAMPED,
        UNSAID_C,
        CAPABILITY,
    ),
    turned(
        "reasoning", "reasoning", "a budget is the nearest word, and shown by a summary", CONVERTED, CLAMPED
    ),
    turned("reasoning.exclude", "", "no summary then"),
    lost("reasoning.summary", "", UNSAID_C),
    turned("verbosity", "text.verbosity", "unless the model does not think", CAPABILITY),
    turned("service_tier", "service_tier", "by table", UNSAID_C),
    turned("user", "user", "its SHA-256 above 64 characters", CONVERTED),
    kept("metadata", "metadata"),
    kept("stream", "stream"),
    turned("stream_options.include_usage", "", "the gateway writes the usage chunk"),
    lost("stream_options.include_obfuscation", "", UNSAID_C),
    *(kept(name, name) for name in sorted(SHARED)),
    *own(tuple(name for name in KEPT_RAW if name not in SHARED)),
)

_CHAT_MESSAGE: Final = (
    turned(
        "messages[system].content", "instructions", "the first, if it is one text; else a message in place"
    ),
    turned("messages[developer].content", "input[developer].content", "in place"),
    kept("messages[user].content", "input[user].content", "", EMPTY),
    kept(
        "messages[assistant].content",
        "input[assistant].content",
        "a last one is not continued",
        CONVERTED_S,
        EMPTY,
    ),
    turned(
        "messages[tool].content",
        "input[function_call_output].output",
        "each call is answered: a missing result becomes an error, one without a call text",
        REPAIRED_S,
    ),
    turned("messages[tool].tool_call_id", "input[function_call_output].call_id", "", REPAIRED_S),
    lost("messages[tool].name", "", UNSAID_C),
    turned("messages[function]", "input[function_call_output]", "paired by name with the call before"),
    lost("messages[].name", "", UNSAID_C),
    turned("messages[assistant].refusal", "content[refusal].refusal", ""),
    kept("content[refusal].refusal", "content[refusal].refusal"),
    turned(
        "messages[assistant].tool_calls[function]",
        "input[function_call]",
        "ids and names in OpenAI's form; arguments that are no JSON below `unfinished_arguments`; an id used twice gets"
        " another",
        REPAIRED,
        REPAIRED_S,
    ),
    turned(
        "messages[assistant].tool_calls[custom]",
        "input[function_call]",
        "its text as the argument `input`",
        UNKNOWN_FIELD,
    ),
    turned(
        "messages[assistant].function_call", "input[function_call]", "with an id made of the message's number"
    ),
    *own(("audio", "annotations"), "messages[assistant]."),
    lost("messages[assistant].reasoning_content", "nobody encrypted it", UNSAID_C, FOREIGN),
    lost("messages[assistant].reasoning", "nobody encrypted it", UNSAID_C),
    turned(
        "messages[assistant].reasoning_details[reasoning.text]",
        "input[reasoning]",
        "if the upstream encrypted it: its id and content are the signature",
        FOREIGN,
    ),
    turned(
        "messages[assistant].reasoning_details[reasoning.encrypted]",
        "input[reasoning]",
        "if it is the upstream's",
        FOREIGN,
    ),
    lost(
        "messages[assistant].reasoning_details[reasoning.summary]", "nobody encrypted it", UNSAID_C, FOREIGN
    ),
    lost("messages[assistant].reasoning_details[].id", "", UNSAID_C, FOREIGN),
    lost("messages[assistant].reasoning_details[].format", "", UNSAID_C, FOREIGN),
    kept("content[text].text", "content[input_text].text"),
    kept("content[image_url].image_url.url", "content[input_image].image_url", "", CAPABILITY),
    kept("content[image_url].image_url.detail", "content[input_image].detail"),
    lost("content[input_audio]", "a note is left", UNSAID),
    turned(
        "content[file].file.file_data",
        "content[input_file].file_data",
        "PDF as it is, text files as text",
        CONVERTED,
    ),
    kept("content[file].file.filename", "content[input_file].filename"),
    kept("content[file].file.file_id", "content[input_file].file_id"),
    lost("….cache_control", "OpenAI caches by itself; one loss stands for all marks", UNSAID_C),
    lost("….prompt_cache_breakpoint", "one loss stands for all marks", CLAMPED),
)

_CHAT_TOOLS: Final = (
    turned("tools[function].function.name", "tools[function].name", ""),
    kept("tools[function].function.description", "tools[function].description"),
    kept(
        "tools[function].function.parameters", "tools[function].parameters", "made an object schema", REPAIRED
    ),
    kept(
        "tools[function].function.strict",
        "tools[function].strict",
        "if the schema is ready for it",
        CONVERTED_S,
        CAPABILITY,
    ),
    turned("functions[]", "tools[function]", "as tools"),
    lost("tools[custom]", "", UNSAID),
    turned("tool_choice", "tool_choice", ""),
    lost("tool_choice[custom]", "", UNSAID),
    turned("tool_choice[allowed_tools]", "tool_choice[allowed_tools]", ""),
    turned("function_call", "tool_choice", "as a tool choice"),
    kept("parallel_tool_calls", "parallel_tool_calls"),
)

# --- Responses -> Chat: requests ------------------------------------------------------------------------

_RESPONSES_REQUEST: Final = (
    turned("model", "model", "the model that the route names"),
    turned("max_output_tokens", "max_completion_tokens", "or `max_tokens`, as the server takes it", CLAMPED),
    kept("temperature", "temperature"),
    kept("top_p", "top_p"),
    kept("frequency_penalty", "frequency_penalty"),
    kept("presence_penalty", "presence_penalty"),
    kept("top_logprobs", "top_logprobs", "with `logprobs`"),
    turned("text.format", "response_format", "strict if the schema is ready for it", UNSAID),
    turned("text.verbosity", "verbosity", "unless the model does not think"),
    turned("reasoning.effort", "reasoning_effort", "the nearest word that the model has"),
    lost("reasoning.summary", "Chat shows what the server shows", UNSAID_C, CONVERTED),
    turned("reasoning.generate_summary", "", "the former name of `summary`"),
    turned("service_tier", "service_tier", "by table", UNSAID_C),
    turned("user", "user", "its SHA-256 above 64 characters", CONVERTED),
    lost("metadata", "Chat takes them of stored answers only", UNSAID_C),
    kept("stream", "stream"),
    *(kept(name, name) for name in sorted(SHARED)),
    *responses.options(*SHARED),
)

_RESPONSES_MESSAGE: Final = (
    kept("instructions", "messages[system].content", "the first message"),
    kept("input", "messages[user].content", "a text is what the user says"),
    kept("input[user].content", "messages[user].content", "", EMPTY),
    kept("input[system].content", "messages[system].content", "in place", EMPTY),
    turned(
        "input[developer].content", "messages[developer].content", "`system` where a server has no developers"
    ),
    kept(
        "input[assistant].content",
        "messages[assistant].content",
        "with its calls and its reasoning; a last one is not continued",
        CONVERTED_S,
        EMPTY,
    ),
    kept("content[input_text].text", "messages[].content"),
    kept("content[output_text].text", "messages[assistant].content"),
    turned("content[refusal].refusal", "messages[assistant].refusal", ""),
    kept("content[input_image].image_url", "content[image_url].image_url.url"),
    kept("content[input_image].detail", "content[image_url].image_url.detail"),
    lost("content[input_image].file_id", "a note is left", UNSAID),
    turned(
        "content[input_file].file_data",
        "content[file].file.file_data",
        "PDF as it is, text files as text",
        CONVERTED,
    ),
    kept("content[input_file].filename", "content[file].file.filename"),
    turned("content[input_file].file_url", "content[text].text", "its address as text", CONVERTED_S),
    lost("content[input_file].file_id", "a note is left", UNSAID),
    *own(("detail",), "content[input_file]."),
    kept("content[input_audio].input_audio", "content[input_audio].input_audio"),
    lost(
        "….prompt_cache_breakpoint", "Chat caches by itself; one loss stands for all marks", UNSAID_C, CLAMPED
    ),
    turned(
        "input[function_call]",
        "messages[assistant].tool_calls[function]",
        "ids and names in Chat's form; arguments that are no JSON below `unfinished_arguments`",
        REPAIRED,
        REPAIRED_S,
    ),
    turned("input[function_call].namespace", "messages[assistant].tool_calls[function]", "before the name"),
    turned(
        "input[custom_tool_call]",
        "messages[assistant].tool_calls[function]",
        "its text as the argument `input`",
    ),
    turned(
        "input[custom_tool_call].namespace", "messages[assistant].tool_calls[function]", "before the name"
    ),
    turned(
        "input[function_call_output]",
        "messages[tool]",
        "pictures and files go into the user's message that follows",
        CONVERTED,
        REPAIRED_S,
    ),
    turned("input[custom_tool_call_output]", "messages[tool]", ""),
    turned(
        "input[reasoning].summary",
        "messages[assistant].reasoning_details[reasoning.text]",
        "to a server that takes reasoning back and signed it",
        UNSAID_C,
        FOREIGN,
    ),
    turned(
        "input[reasoning].encrypted_content",
        "messages[assistant].reasoning_details[]",
        "unpacked, to a server that takes it back and signed it",
        UNSAID_C,
        FOREIGN,
    ),
    *responses.items(EMPTY),
)

_RESPONSES_TOOLS: Final = (
    turned(
        "tools[function].name",
        "tools[function].function.name",
        "at most 64 characters, and put back in the answer",
    ),
    kept("tools[function].description", "tools[function].function.description"),
    kept(
        "tools[function].parameters", "tools[function].function.parameters", "made an object schema", REPAIRED
    ),
    kept(
        "tools[function].strict",
        "tools[function].function.strict",
        "if the schema is ready for it",
        CONVERTED_S,
    ),
    turned(
        "tools[custom]",
        "tools[function].function.parameters",
        "a function of one text, `input`, and plain text again in the answer",
        CONVERTED,
    ),
    *responses.TOOLS,
    turned("tool_choice", "tool_choice", ""),
    turned(
        "tool_choice[allowed_tools]",
        "tool_choice[allowed_tools]",
        "without those that the vendor runs",
        UNKNOWN_PART,
    ),
    kept("parallel_tool_calls", "parallel_tool_calls"),
)

# --- Responses -> Chat: answers -------------------------------------------------------------------------

_RESPONSES_ANSWER: Final = (
    turned("id", "id", "a new one in Chat's form"),
    turned("object", "object", "`chat.completion`"),
    turned("created_at", "created", ""),
    kept("model", "model"),
    turned("status", "choices[].finish_reason", "see the words", REPAIRED),
    turned("service_tier", "service_tier", "by table"),
    kept("content[output_text].text", "choices[].message.content", "all text in one"),
    turned("content[refusal].refusal", "choices[].message.refusal", ""),
    turned(
        "output[function_call]", "choices[].message.tool_calls[function]", "the client's own name of the tool"
    ),
    turned("output[reasoning].summary", "choices[].message.reasoning_content", "also as `reasoning_details`"),
    turned(
        "output[reasoning].content",
        "choices[].message.reasoning_content",
        "unless there is a summary",
        CONVERTED,
    ),
    turned(
        "output[reasoning].encrypted_content",
        "choices[].message.reasoning_details[]",
        "with the item's id and its issuer",
    ),
    turned("output[reasoning].id", "choices[].message.reasoning_details[]", "within the signature", EMPTY),
    turned("incomplete_details.reason", "choices[].finish_reason", "see the words", REPAIRED, CONVERTED_S),
    *responses.OWN_ANSWER,
)

_RESPONSES_USAGE: Final = (
    kept("usage.input_tokens", "usage.prompt_tokens"),
    kept("usage.output_tokens", "usage.completion_tokens"),
    kept("usage.total_tokens", "usage.total_tokens"),
    kept("usage.input_tokens_details.cached_tokens", "usage.prompt_tokens_details.cached_tokens"),
    kept("usage.input_tokens_details.cache_write_tokens", "usage.prompt_tokens_details.cache_write_tokens"),
    turned(
        "usage.input_tokens_details.cache_write_tokens_details",
        "usage.prompt_tokens_details.cache_write_tokens",
        "their sum",
    ),
    kept("usage.output_tokens_details.reasoning_tokens", "usage.completion_tokens_details.reasoning_tokens"),
    lost("tool_usage.web_search.num_requests", "the ledger has it", UNSAID_C),
    turned("tool_usage", "", "figures of the vendor's own tools"),
)

_RESPONSES_STREAM: Final = (
    turned("response.created", "delta.role", "the first chunk"),
    turned("response.in_progress", "", "nothing"),
    turned("response.output_item.added[message]", "", "nothing"),
    turned("response.output_item.added[function_call]", "delta.tool_calls", "id and name"),
    turned("response.output_item.added[reasoning]", "", "nothing"),
    turned("response.content_part.added", "", "nothing"),
    turned("response.output_text.delta", "delta.content", "each as it comes"),
    turned("response.refusal.delta", "delta.refusal", "each as it comes"),
    turned("response.reasoning_summary_text.delta", "delta.reasoning_content", "and `reasoning_details`"),
    turned("response.reasoning_text.delta", "delta.reasoning_content", "and `reasoning_details`"),
    turned("response.function_call_arguments.delta", "delta.tool_calls", "each as it comes"),
    turned("response.output_item.done[reasoning]", "delta.reasoning_details", "the signature"),
    turned("response.output_item.done[message]", "", "what fragments have not said"),
    turned("response.output_item.done[function_call]", "", "what fragments have not said"),
    lost(
        "response.output_item.done[web_search_call]", "items of the vendor's own tools, whole", UNKNOWN_PART
    ),
    lost("response.output_text.annotation.added", "with the item", UNSAID),
    turned("response.completed", "finish_reason", "and the usage chunk if the client asked for it"),
    turned("response.incomplete", "finish_reason", ""),
    turned("response.failed", "error", "a chunk with `error`; no `[DONE]` follows"),
    turned("error", "error", "a chunk with `error`; no `[DONE]` follows"),
)

# --- Chat -> Responses: answers -------------------------------------------------------------------------

_CHAT_ANSWER: Final = (
    turned("id", "id", "a new one in the form of Responses"),
    turned("object", "object", "`response`"),
    kept("created", "created_at"),
    kept("model", "model"),
    turned("service_tier", "service_tier", "by table"),
    *own(("system_fingerprint", "moderation")),
    turned("metadata", "metadata", "what the request said"),
    turned("choices[].index", "", "the first choice"),
    lost("choices[further]", "", UNSAID),
    turned("choices[].message.role", "output[assistant].role", ""),
    kept("choices[].message.content", "content[output_text].text"),
    kept("choices[].message.refusal", "content[refusal].refusal"),
    turned(
        "choices[].message.tool_calls[function]", "output[function_call]", "the client's own name of the tool"
    ),
    turned(
        "choices[].message.tool_calls[custom]", "output[function_call]", "its text as `input`", UNKNOWN_FIELD
    ),
    turned("choices[].message.function_call", "output[function_call]", "with an id made of the answer's"),
    kept("choices[].message.reasoning_content", "output[reasoning].summary[].text"),
    kept(
        "choices[].message.reasoning", "output[reasoning].summary[].text", "if `reasoning_content` is absent"
    ),
    turned(
        "choices[].message.reasoning_details[reasoning.text]",
        "output[reasoning]",
        "the signature as `encrypted_content`, with its issuer: `tgw1.` and base64url",
    ),
    turned("choices[].message.reasoning_details[reasoning.summary]", "output[reasoning]", ""),
    turned(
        "choices[].message.reasoning_details[reasoning.encrypted]",
        "output[reasoning].encrypted_content",
        "with its issuer",
    ),
    *own(("id", "format"), "choices[].message.reasoning_details[]."),
    *own(("annotations", "audio"), "choices[].message."),
    lost("choices[].logprobs", "", UNSAID),
    turned("choices[].finish_reason", "status", "see the words", REPAIRED),
)

_CHAT_USAGE: Final = (
    kept("usage.prompt_tokens", "usage.input_tokens"),
    kept("usage.completion_tokens", "usage.output_tokens"),
    kept("usage.total_tokens", "usage.total_tokens"),
    kept("usage.prompt_tokens_details.cached_tokens", "usage.input_tokens_details.cached_tokens"),
    kept("usage.prompt_tokens_details.cache_write_tokens", "usage.input_tokens_details.cache_write_tokens"),
    turned("usage.prompt_tokens_details.audio_tokens", "usage.input_tokens", "a part of the input"),
    turned("usage.completion_tokens_details.audio_tokens", "usage.output_tokens", "a part of the output"),
    kept("usage.completion_tokens_details.reasoning_tokens", "usage.output_tokens_details.reasoning_tokens"),
    turned("usage.completion_tokens_details", "", "a part of the output"),
    turned("usage.prompt_cache_hit_tokens", "usage.input_tokens_details.cached_tokens", "DeepSeek's word"),
    turned("usage.cached_tokens", "usage.input_tokens_details.cached_tokens", "Moonshot's word"),
)

_CHAT_STREAM: Final = (
    turned("delta.role", "response.created", "and `response.in_progress`"),
    turned(
        "delta.content", "response.output_text.delta", "its item and its part are announced with the first"
    ),
    turned("delta.refusal", "response.refusal.delta", "its item and its part are announced with the first"),
    turned(
        "delta.reasoning_content",
        "response.reasoning_summary_text.delta",
        "its item is announced with the first",
    ),
    turned(
        "delta.reasoning", "response.reasoning_summary_text.delta", "its item is announced with the first"
    ),
    turned(
        "delta.reasoning_details",
        "response.output_item.done[reasoning]",
        "text as it comes, signature with the item",
    ),
    turned(
        "delta.tool_calls",
        "response.function_call_arguments.delta",
        "one call after the other: the fragments of a later one wait for the earlier",
    ),
    turned("delta.function_call", "response.function_call_arguments.delta", "as a tool call"),
    turned("finish_reason", "response.completed", "or `response.incomplete`, held until the usage has come"),
    turned("usage", "response.completed", "the true figures"),
    turned("[DONE]", "response.completed", ""),
    turned("error", "response.failed", "nothing follows"),
)

ROWS: Final[Rows] = {
    (_CHAT, _RESPONSES, Section.REQUEST): _CHAT_REQUEST,
    (_CHAT, _RESPONSES, Section.MESSAGE): _CHAT_MESSAGE,
    (_CHAT, _RESPONSES, Section.TOOLS): _CHAT_TOOLS,
    (_RESPONSES, _CHAT, Section.REQUEST): _RESPONSES_REQUEST,
    (_RESPONSES, _CHAT, Section.MESSAGE): _RESPONSES_MESSAGE,
    (_RESPONSES, _CHAT, Section.TOOLS): _RESPONSES_TOOLS,
    (_RESPONSES, _CHAT, Section.ANSWER): _RESPONSES_ANSWER,
    (_RESPONSES, _CHAT, Section.USAGE): _RESPONSES_USAGE,
    (_RESPONSES, _CHAT, Section.STREAM): _RESPONSES_STREAM,
    (_CHAT, _RESPONSES, Section.ANSWER): _CHAT_ANSWER,
    (_CHAT, _RESPONSES, Section.USAGE): _CHAT_USAGE,
    (_CHAT, _RESPONSES, Section.STREAM): _CHAT_STREAM,
}

# --- words ----------------------------------------------------------------------------------------------

STATUS: Final[Mapping[FinishReason, str]] = {
    finish: INCOMPLETE_REASON.get(finish, "completed") for finish in FinishReason
}
"""Finish reason -> status of the response or, if it is incomplete, why."""

PAUSED: Final[Mapping[FinishReason, tuple[LossKind, ...]]] = {FinishReason.PAUSE: (CONVERTED_S,)}
"""What a finish means that neither of OpenAI's protocols has a word for."""

WORDS: Final[Words] = {
    (_CHAT, _RESPONSES, "Finish reasons"): stops(CHAT_FINISH, STATUS),
    (_RESPONSES, _CHAT, "Why an answer is incomplete"): stops(FINISH_OF, FINISH_REASON, PAUSED),
    (_RESPONSES, _CHAT, "Service tier asked for"): tuple(
        turned(word, word, "") for word in sorted(set(SERVICE_TIER.values()))
    ),
    (_RESPONSES, _CHAT, "Service tier that served"): tuple(
        turned(word, word, "") for word in sorted(set(ANSWER_TIER.values()))
    ),
}
