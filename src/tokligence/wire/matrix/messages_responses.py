"""Messages and Responses."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import LossReason, ProtocolId
from tokligence.wire.anthropic.tables import ANSWER_TIER_OF, REQUEST_TIER_OF, SAMPLING_LOSS, STOP_REASON_OF
from tokligence.wire.anthropic.tables import FINISH_OF as ANTHROPIC_FINISH
from tokligence.wire.anthropic.types import RequestWire, ResponseWire, ToolWire
from tokligence.wire.matrix import responses
from tokligence.wire.matrix.chat_responses import PAUSED, STATUS
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
from tokligence.wire.openai_responses.tables import FINISH_OF
from tokligence.wire.severity import severity_of

_MESSAGES, _RESPONSES = ProtocolId.ANTHROPIC, ProtocolId.OPENAI_RESPONSES

# --- Messages -> Responses: requests --------------------------------------------------------------------

_MESSAGES_REQUEST: Final = (
    turned("model", "model", "the model that the route names"),
    turned("max_tokens", "max_output_tokens", "at least 16, at most the model's", CLAMPED),
    lost("stop_sequences", "", UNSAID),
    kept("temperature", "temperature", "", CAPABILITY),
    kept("top_p", "top_p", "", CAPABILITY),
    lost("top_k", "", UNSAID),
    turned(
        "thinking",
        "reasoning",
        "the nearest word; off is `none` or the least that the model has",
        CONVERTED,
        CAPABILITY,
        UNSAID,
    ),
    turned("thinking.display", "reasoning.summary", "`auto`, unless `omitted`"),
    turned("output_config.effort", "reasoning.effort", "the nearest word that the model has", CLAMPED),
    turned(
        "output_config.format", "text.format", "strict if the schema is ready for it", CONVERTED_S, CAPABILITY
    ),
    turned("output_format", "text.format", "as `output_config.format`"),
    lost("output_config.task_budget", "", (LossReason.UNSUPPORTED, severity_of("output_config"))),
    turned("metadata.user_id", "user", "its SHA-256 above 64 characters", CONVERTED),
    turned("service_tier", "service_tier", "by table"),
    kept("stream", "stream"),
    *own(raw_fields(RequestWire)),
)

_MESSAGES_MESSAGE: Final = (
    turned("system", "instructions", "one text; several are a message in place"),
    kept("messages[system].content", "input[system].content", "in place"),
    kept("messages[user].content", "input[user].content"),
    kept(
        "messages[assistant].content",
        "input[assistant].content",
        "a last one is not continued",
        CONVERTED_S,
        EMPTY,
    ),
    *own(("clear_at", "output_config"), "messages[]."),
    kept("content[text].text", "content[input_text].text"),
    turned("content[image].source[url]", "content[input_image].image_url", "", CAPABILITY),
    turned("content[image].source[base64]", "content[input_image].image_url", "as a data URL"),
    lost("content[image].source[file]", "a note is left", UNSAID),
    turned("content[document].source[base64]", "content[input_file].file_data", "as a data URL"),
    turned(
        "content[document].source[text]", "input[user].content", "title, context and text in one", CONVERTED
    ),
    turned("content[document].source[content]", "content[]", "its parts", CONVERTED),
    turned("content[document].source[url]", "content[input_file].file_url", ""),
    lost("content[document].source[file]", "a note is left", UNSAID),
    turned(
        "content[document].title", "content[input_file].filename", "or text before the document", CONVERTED
    ),
    turned("content[document].context", "content[input_text].text", "text before the document", CONVERTED),
    lost("content[document].citations", "unless off", UNSAID),
    turned(
        "content[thinking]",
        "input[reasoning]",
        "if the upstream encrypted it: its id and content are the signature",
        FOREIGN,
    ),
    turned("content[redacted_thinking]", "input[reasoning]", "if it is the upstream's", FOREIGN),
    turned(
        "content[tool_use]",
        "input[function_call]",
        "input as the text of the arguments; ids in OpenAI's form",
        REPAIRED_S,
    ),
    turned(
        "content[tool_result]", "input[function_call_output]", "pictures and files stay in it", REPAIRED_S
    ),
    turned(
        "content[tool_result].is_error",
        "input[function_call_output].output",
        "`Error:` before the text",
        CONVERTED,
    ),
    lost("….cache_control", "OpenAI caches by itself; one loss stands for all marks", UNSAID_C),
    lost("….cache_control.scope", "", UNKNOWN_FIELD_C),
    *own(("citations", "transformations", "caller", "toolset_name"), "…."),
)

_MESSAGES_TOOLS: Final = (
    turned("tools[].name", "tools[function].name", "at most 64 characters, and put back in the answer"),
    kept("tools[].description", "tools[function].description"),
    kept(
        "tools[].input_schema", "tools[function].parameters", "an array without `items` gets some", REPAIRED
    ),
    kept(
        "tools[].strict", "tools[function].strict", "if the schema is ready for it", CONVERTED_S, CAPABILITY
    ),
    *own(tuple(name for name in raw_fields(ToolWire) if name != "input_schema"), "tools[]."),
    turned("tools[].type", "tools[].type", "`custom` is a function; the vendor's own tools are lost", UNSAID),
    turned("tool_choice", "tool_choice", "`any` is `required`", UNSAID),
    turned("tool_choice.disable_parallel_tool_use", "parallel_tool_calls", "the opposite"),
)

# --- Responses -> Messages: requests --------------------------------------------------------------------

_RESPONSES_REQUEST: Final = (
    turned("model", "model", "the model that the route names"),
    turned("max_output_tokens", "max_tokens", "the catalogue's limit where none is given", CLAMPED),
    kept("temperature", "temperature", "at most 1", CLAMPED_S),
    kept("top_p", "top_p"),
    *(
        lost(name, "", (LossReason.UNSUPPORTED, SAMPLING_LOSS[name]))
        for name in ("frequency_penalty", "presence_penalty", "top_logprobs")
    ),
    turned(
        "text.format",
        "output_config.format",
        "natively, else by a tool that must be called",
        CONVERTED,
        UNSAID,
    ),
    lost("text.format.name", "", UNSAID_C),
    lost("text.verbosity", "unless `medium`", UNSAID),
    turned(
        "reasoning.effort", "thinking", "a budget, or an effort where the model thinks adaptively", UNSAID
    ),
    turned("reasoning.summary", "thinking.display", "`summarized`", CONVERTED),
    turned("reasoning.generate_summary", "", "the former name of `summary`"),
    turned("service_tier", "service_tier", "by table", UNSAID_C),
    turned("user", "metadata.user_id", "its SHA-256 above 256 characters", CONVERTED),
    lost("metadata", "", UNSAID_C),
    kept("stream", "stream"),
    *responses.options(include=(UNSAID_C, UNSAID)),
)

_RESPONSES_MESSAGE: Final = (
    kept("instructions", "system", "the first text"),
    kept("input", "messages[user].content", "a text is what the user says"),
    kept("input[user].content", "content[text].text"),
    turned(
        "input[system].content", "messages[user].content", "between `<system>` and `</system>`", CONVERTED
    ),
    turned("input[developer].content", "system", "at the start; later as a system message"),
    kept(
        "input[assistant].content",
        "messages[assistant].content",
        "a first one follows a made-up user's message",
        REPAIRED,
        EMPTY,
    ),
    kept("content[input_text].text", "content[text].text"),
    kept("content[output_text].text", "content[text].text"),
    turned("content[refusal].refusal", "content[text].text", "as text", CONVERTED),
    turned("content[input_image].image_url", "content[image].source", ""),
    lost("content[input_image].detail", "unless `auto`", UNSAID_C),
    lost("content[input_image].file_id", "a note is left", UNSAID),
    turned("content[input_file].file_data", "content[document].source", "PDF as it is, text files as text"),
    kept("content[input_file].filename", "content[document].title"),
    turned("content[input_file].file_url", "content[document].source", ""),
    lost("content[input_file].file_id", "a note is left", UNSAID),
    *own(("detail",), "content[input_file]."),
    lost("content[input_audio]", "a note is left", UNSAID),
    turned("….prompt_cache_breakpoint", "….cache_control", "an hour where a lifetime is given", CLAMPED),
    turned(
        "input[function_call]",
        "content[tool_use]",
        "ids and names in Anthropic's form; arguments that are no object below `invalid_json`",
        REPAIRED,
        REPAIRED_S,
    ),
    turned("input[function_call].namespace", "content[tool_use].name", "before the name"),
    turned("input[custom_tool_call]", "content[tool_use]", "its text as `input`"),
    turned("input[custom_tool_call].namespace", "content[tool_use].name", "before the name"),
    turned("input[function_call_output]", "content[tool_result]", "with its pictures and files", REPAIRED_S),
    turned("input[custom_tool_call_output]", "content[tool_result]", ""),
    turned("input[reasoning].summary", "content[thinking].thinking", "if Anthropic signed it", FOREIGN),
    turned(
        "input[reasoning].encrypted_content",
        "content[thinking].signature",
        "unpacked, if Anthropic signed it",
        FOREIGN,
    ),
    *responses.items(),
)

_RESPONSES_TOOLS: Final = (
    turned(
        "tools[function].name", "tools[].name", "in Anthropic's form, and put back in the answer", CONVERTED
    ),
    kept("tools[function].description", "tools[].description"),
    kept("tools[function].parameters", "tools[].input_schema", "made an object schema", REPAIRED_S),
    kept("tools[function].strict", "tools[].strict", "not for a schema of an open object", UNSAID),
    turned(
        "tools[custom]",
        "tools[].input_schema",
        "a function of one text, `input`, and plain text again in the answer",
        CONVERTED,
    ),
    *responses.TOOLS,
    turned("tool_choice", "tool_choice", "`required` is `any`"),
    turned("tool_choice[allowed_tools]", "tools[]", "the other tools are not shown", UNKNOWN_PART),
    turned("parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "the opposite"),
)

# --- Responses -> Messages: answers ---------------------------------------------------------------------

_RESPONSES_ANSWER: Final = (
    turned("id", "id", "with `msg_` before it"),
    turned("object", "type", "`message`"),
    turned("created_at", "", "Messages has no time"),
    kept("model", "model"),
    turned("status", "stop_reason", "see the words", REPAIRED),
    turned("service_tier", "usage.service_tier", "by table", UNSAID_C),
    kept("content[output_text].text", "content[text].text"),
    turned("content[refusal].refusal", "content[text].text", "with stop reason `refusal`"),
    turned(
        "output[function_call]",
        "content[tool_use]",
        "arguments as the input; the client's own name of the tool",
    ),
    kept("output[reasoning].summary", "content[thinking].thinking"),
    turned("output[reasoning].content", "content[thinking].thinking", "unless there is a summary", CONVERTED),
    turned(
        "output[reasoning].encrypted_content",
        "content[]",
        "`tgw:ISSUER:ID:CONTENT` as the signature, or as the data",
    ),
    turned("output[reasoning].id", "content[]", "within the signature", EMPTY),
    turned("incomplete_details.reason", "stop_reason", "see the words", REPAIRED),
    *responses.OWN_ANSWER,
)

_RESPONSES_USAGE: Final = (
    turned("usage.input_tokens", "usage.input_tokens", "without what was read from and written to the cache"),
    kept("usage.output_tokens", "usage.output_tokens"),
    turned("usage.total_tokens", "", "the sum of the others"),
    kept("usage.input_tokens_details.cached_tokens", "usage.cache_read_input_tokens"),
    kept("usage.input_tokens_details.cache_write_tokens", "usage.cache_creation_input_tokens"),
    turned(
        "usage.input_tokens_details.cache_write_tokens_details",
        "usage.cache_creation",
        "30 minutes as 5, 12 hours as 1",
    ),
    kept("usage.output_tokens_details.reasoning_tokens", "usage.output_tokens_details.thinking_tokens"),
    kept("tool_usage.web_search.num_requests", "usage.server_tool_use.web_search_requests"),
    turned("tool_usage", "", "figures of the vendor's own tools"),
)

_RESPONSES_STREAM: Final = (
    turned("response.created", "message_start", "its input is an estimate: Responses counts at the end"),
    turned("response.in_progress", "", "nothing"),
    turned("response.output_item.added[message]", "", "nothing"),
    turned("response.output_item.added[function_call]", "content_block_start[tool_use]", "id and name"),
    turned("response.output_item.added[reasoning]", "", "nothing"),
    turned("response.content_part.added", "", "nothing"),
    turned("response.output_text.delta", "content_block_delta[text_delta]", "a block opens with the first"),
    turned("response.refusal.delta", "content_block_delta[text_delta]", "a block of text"),
    turned(
        "response.reasoning_summary_text.delta",
        "content_block_delta[thinking_delta]",
        "a block opens with the first",
    ),
    turned(
        "response.reasoning_text.delta", "content_block_delta[thinking_delta]", "a block opens with the first"
    ),
    turned(
        "response.function_call_arguments.delta", "content_block_delta[input_json_delta]", "each as it comes"
    ),
    turned(
        "response.output_item.done[reasoning]", "content_block_delta[signature_delta]", "or a redacted block"
    ),
    turned("response.output_item.done[message]", "", "what fragments have not said"),
    turned("response.output_item.done[function_call]", "content_block_stop", ""),
    lost(
        "response.output_item.done[web_search_call]", "items of the vendor's own tools, whole", UNKNOWN_PART
    ),
    lost("response.output_text.annotation.added", "with the item", UNSAID),
    turned("response.completed", "message_stop", "`message_delta` has the true figures"),
    turned("response.incomplete", "message_stop", "`message_delta` has the true figures"),
    turned("response.failed", "error", "nothing follows"),
    turned("error", "error", "nothing follows"),
)

# --- Messages -> Responses: answers ---------------------------------------------------------------------

_MESSAGES_ANSWER: Final = (
    turned("id", "id", "a new one in the form of Responses"),
    turned("type", "object", "`response`"),
    turned("role", "output[assistant].role", ""),
    kept("model", "model"),
    kept("content[text].text", "content[output_text].text"),
    kept("content[thinking].thinking", "output[reasoning].summary[].text"),
    turned(
        "content[thinking].signature",
        "output[reasoning].encrypted_content",
        "with its issuer: `tgw1.` and base64url",
    ),
    turned("content[redacted_thinking]", "output[reasoning].encrypted_content", "with its issuer"),
    turned(
        "content[tool_use]",
        "output[function_call]",
        "input as the text of the arguments; the client's own name of the tool; the forced tool's input is the text",
    ),
    lost("content[]", "the vendor's own tools and their results", UNKNOWN_PART),
    *own(("citations", "caller", "toolset_name"), "…."),
    turned("stop_reason", "status", "see the words", CONVERTED_S, UNKNOWN_FIELD),
    lost("stop_sequence", "", UNSAID_C),
    *own(raw_fields(ResponseWire)),
)

_MESSAGES_USAGE: Final = (
    turned("usage.input_tokens", "usage.input_tokens", "with what was read from and written to the cache"),
    kept("usage.output_tokens", "usage.output_tokens"),
    kept("usage.cache_read_input_tokens", "usage.input_tokens_details.cached_tokens"),
    kept("usage.cache_creation_input_tokens", "usage.input_tokens_details.cache_write_tokens"),
    turned("usage.cache_creation", "usage.input_tokens_details.cache_write_tokens", "their sum"),
    kept("usage.output_tokens_details.thinking_tokens", "usage.output_tokens_details.reasoning_tokens"),
    lost("usage.server_tool_use", "the ledger has it", UNSAID_C),
    turned("usage.service_tier", "service_tier", "by table", UNSAID_C),
    turned("usage", "", "figures that Responses has no word for are in the others"),
)

_MESSAGES_STREAM: Final = (
    turned("message_start", "response.created", "and `response.in_progress`"),
    turned(
        "content_block_start[text]", "response.content_part.added", "its item is announced with the first"
    ),
    turned(
        "content_block_start[thinking]", "response.reasoning_summary_part.added", "with its first fragment"
    ),
    turned("content_block_start[redacted_thinking]", "response.output_item.done[reasoning]", "at once"),
    turned("content_block_start[tool_use]", "response.output_item.added[function_call]", "id and name"),
    lost("content_block_start[]", "blocks of the vendor's own, whole", UNKNOWN_PART),
    turned("content_block_delta[text_delta]", "response.output_text.delta", "each as it comes"),
    turned(
        "content_block_delta[input_json_delta]", "response.function_call_arguments.delta", "each as it comes"
    ),
    turned(
        "content_block_delta[thinking_delta]", "response.reasoning_summary_text.delta", "each as it comes"
    ),
    turned("content_block_delta[signature_delta]", "response.output_item.done[reasoning]", "with the item"),
    lost("content_block_delta[citations_delta]", "once for each block", UNSAID),
    turned(
        "content_block_stop",
        "response.output_item.done[]",
        "what is open is told whole; a message waits for more",
    ),
    turned("message_delta", "response.completed", "or `response.incomplete`"),
    turned("message_stop", "response.completed", "or `response.incomplete`"),
    turned("ping", "", "nothing"),
    turned("error", "response.failed", "nothing follows"),
)

ROWS: Final[Rows] = {
    (_MESSAGES, _RESPONSES, Section.REQUEST): _MESSAGES_REQUEST,
    (_MESSAGES, _RESPONSES, Section.MESSAGE): _MESSAGES_MESSAGE,
    (_MESSAGES, _RESPONSES, Section.TOOLS): _MESSAGES_TOOLS,
    (_RESPONSES, _MESSAGES, Section.REQUEST): _RESPONSES_REQUEST,
    (_RESPONSES, _MESSAGES, Section.MESSAGE): _RESPONSES_MESSAGE,
    (_RESPONSES, _MESSAGES, Section.TOOLS): _RESPONSES_TOOLS,
    (_RESPONSES, _MESSAGES, Section.ANSWER): _RESPONSES_ANSWER,
    (_RESPONSES, _MESSAGES, Section.USAGE): _RESPONSES_USAGE,
    (_RESPONSES, _MESSAGES, Section.STREAM): _RESPONSES_STREAM,
    (_MESSAGES, _RESPONSES, Section.ANSWER): _MESSAGES_ANSWER,
    (_MESSAGES, _RESPONSES, Section.USAGE): _MESSAGES_USAGE,
    (_MESSAGES, _RESPONSES, Section.STREAM): _MESSAGES_STREAM,
}

WORDS: Final[Words] = {
    (_MESSAGES, _RESPONSES, "Stop reasons"): stops(ANTHROPIC_FINISH, STATUS, PAUSED),
    (_RESPONSES, _MESSAGES, "Why an answer is incomplete"): stops(FINISH_OF, STOP_REASON_OF),
    (_RESPONSES, _MESSAGES, "Service tier asked for"): tiers(SERVICE_TIER, REQUEST_TIER_OF),
    (_MESSAGES, _RESPONSES, "Service tier asked for"): tiers(REQUEST_TIER_OF, SERVICE_TIER),
    (_RESPONSES, _MESSAGES, "Service tier that served"): tiers(ANSWER_TIER, ANSWER_TIER_OF),
    (_MESSAGES, _RESPONSES, "Service tier that served"): tiers(ANSWER_TIER_OF, ANSWER_TIER),
}
