"""Messages and Gemini, each in the other."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import LossReason, ProtocolId
from tokligence.wire.anthropic.tables import FINISH_OF, REQUEST_TIER_OF, STOP_REASON_OF
from tokligence.wire.anthropic.types import RequestWire, ResponseWire, ToolWire
from tokligence.wire.gemini.tables import FINISH_OF as GEMINI_FINISH
from tokligence.wire.gemini.tables import FINISH_REASON as GEMINI_SAYS
from tokligence.wire.gemini.tables import REQUEST_TIER_OF as GEMINI_TIER
from tokligence.wire.matrix.gemini import OWN_ANSWER, OWN_PARTS, OWN_REQUEST, OWN_TOOLS
from tokligence.wire.matrix.rows import (
    CAPABILITY,
    CLAMPED,
    CLAMPED_S,
    CONVERTED,
    CONVERTED_S,
    EMPTY,
    FOREIGN,
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
from tokligence.wire.severity import severity_of

_MESSAGES: Final = ProtocolId.ANTHROPIC
_GEMINI: Final = ProtocolId.GEMINI

# --- Messages -> Gemini: requests -----------------------------------------------------------------------

_CONFIG: Final = "generationConfig."
_MESSAGES_REQUEST: Final = (
    turned("model", "", "in the path"),
    turned("max_tokens", _CONFIG + "maxOutputTokens", "at most the catalogue's limit"),
    turned("stop_sequences", _CONFIG + "stopSequences", "the first five", CLAMPED_S),
    kept("temperature", _CONFIG + "temperature"),
    kept("top_p", _CONFIG + "topP"),
    kept("top_k", _CONFIG + "topK"),
    turned(
        "thinking",
        _CONFIG + "thinkingConfig",
        "a budget, since 3 the nearest level; models that always think are asked to think least",
        CONVERTED,
        CAPABILITY,
        UNSAID,
    ),
    turned("thinking.display", _CONFIG + "thinkingConfig.includeThoughts", "`omitted` is false"),
    turned(
        "output_config.effort",
        _CONFIG + "thinkingConfig.thinkingLevel",
        "the nearest level, before 3 a budget",
        CLAMPED,
    ),
    turned(
        "output_config.format",
        _CONFIG + "responseJsonSchema",
        "not beside functions on models before 3",
        CAPABILITY,
        UNSAID_C,
    ),
    turned("output_format", _CONFIG + "responseJsonSchema", "as `output_config.format`"),
    lost("output_config.task_budget", "", (LossReason.UNSUPPORTED, severity_of("output_config"))),
    lost("metadata.user_id", "", UNSAID_C),
    turned("service_tier", "serviceTier", "by table"),
    turned("stream", "", "in the path"),
    *own(raw_fields(RequestWire)),
)

_SAID: Final = "contents[model].parts[]."
_ASKED: Final = "contents[user].parts[]."
_MESSAGES_MESSAGE: Final = (
    kept("system", "systemInstruction.parts[].text"),
    turned(
        "messages[system].content",
        _ASKED + "text",
        "said by the user between `<system>` and `</system>`",
        CONVERTED,
    ),
    kept("messages[user].content", _ASKED + "text"),
    kept("messages[assistant].content", _SAID + "text", "", EMPTY),
    *own(("clear_at", "output_config"), "messages[]."),
    kept("content[text].text", "contents[].parts[].text"),
    turned(
        "content[image].source[url]",
        _ASKED + "fileData",
        "",
    ),
    turned(
        "content[image].source[base64]", _ASKED + "inlineData", "not GIF, for which a note is left", UNSAID
    ),
    lost("content[image].source[file]", "a note is left", UNSAID),
    turned("content[document].source[base64]", _ASKED + "inlineData", ""),
    turned("content[document].source[text]", _ASKED + "text", "title, context and text in one", CONVERTED),
    turned("content[document].source[content]", "contents[].parts[]", "its parts", CONVERTED),
    turned("content[document].source[url]", _ASKED + "fileData", ""),
    lost("content[document].source[file]", "a note is left", UNSAID),
    turned("content[document].title", _ASKED + "text", "text before the document", CONVERTED),
    turned("content[document].context", _ASKED + "text", "text before the document"),
    lost("content[document].citations", "unless off", UNSAID),
    turned(
        "content[thinking]",
        _SAID + "thoughtSignature",
        "if it is Google's: with its text as a thought, without beside the text or the call that it proves",
        FOREIGN,
    ),
    lost("content[redacted_thinking]", "Google gives none", FOREIGN),
    turned(
        "content[tool_use]",
        _SAID + "functionCall",
        "names in Google's form; without Google's signature with a placeholder, where the model demands one",
        REPAIRED_S,
    ),
    turned(
        "content[tool_result]",
        _ASKED + "functionResponse",
        "a JSON object as it is, a text as `result`; several texts in one; pictures and PDF within it since 3, before"
        " in the user's content that follows; one response for each call",
        CONVERTED,
        REPAIRED_S,
    ),
    turned("content[tool_result].is_error", _ASKED + "functionResponse.response.error", ""),
    lost("….cache_control", "Gemini caches by itself; one loss stands for all marks", UNSAID_C),
    lost("….cache_control.scope", "", UNKNOWN_FIELD_C),
    *own(("citations", "transformations", "caller", "toolset_name"), "…."),
)

_DECLARED: Final = "tools[].functionDeclarations[]."
_CALLING: Final = "toolConfig.functionCallingConfig"
_MESSAGES_TOOLS: Final = (
    turned("tools[].name", _DECLARED + "name", "in Google's form, and put back in the answer"),
    kept("tools[].description", _DECLARED + "description"),
    kept(
        "tools[].input_schema",
        _DECLARED + "parametersJsonSchema",
        "in Google's subset where an endpoint takes no other",
    ),
    turned("tools[].strict", _CALLING + ".mode", "`VALIDATED`"),
    *own(tuple(name for name in raw_fields(ToolWire) if name != "input_schema"), "tools[]."),
    turned("tools[].type", "", "`custom` is a function; the vendor's own tools are lost", UNSAID),
    turned("tool_choice", _CALLING, "`any` is `ANY`"),
    lost("tool_choice.disable_parallel_tool_use", "unless false", UNSAID),
)

# --- Gemini -> Messages: requests -----------------------------------------------------------------------

_GEMINI_REQUEST: Final = (
    turned("model", "model", "the model that the path, and then the route, names"),
    turned(
        _CONFIG + "maxOutputTokens",
        "max_tokens",
        "the catalogue's limit where none is given; raised where thinking needs more",
        CLAMPED,
        CLAMPED_S,
    ),
    kept(_CONFIG + "stopSequences", "stop_sequences", "blank ones are refused by Anthropic"),
    kept(_CONFIG + "temperature", "temperature", "at most 1; not beside thinking", CLAMPED_S, CAPABILITY),
    kept(_CONFIG + "topP", "top_p", "not beside temperature on models that take one of them", CAPABILITY),
    kept(_CONFIG + "topK", "top_k", "not beside thinking", CAPABILITY),
    lost(_CONFIG + "seed", "", UNSAID_C),
    *(
        lost(_CONFIG + name, "unless it asks for nothing", UNSAID)
        for name in ("candidateCount", "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs")
    ),
    turned(
        _CONFIG + "responseMimeType",
        "output_config.format",
        "JSON without a schema by a tool that must be called; a type of others is lost",
        CONVERTED,
        UNSAID,
    ),
    turned(
        _CONFIG + "responseSchema",
        "output_config.format.schema",
        "as JSON Schema; natively, else by a tool that must be called, whose input is the answer's text",
        CONVERTED,
        UNSAID,
    ),
    turned(
        _CONFIG + "responseJsonSchema",
        "output_config.format.schema",
        "natively, else by a tool that must be called, whose input is the answer's text",
        CONVERTED,
        UNSAID,
    ),
    turned(
        _CONFIG + "thinkingConfig",
        "thinking",
        "a budget as it is, a level as a budget, or an effort where the model thinks adaptively; -1 is the model's"
        " default",
        CLAMPED,
        CAPABILITY,
    ),
    turned(_CONFIG + "thinkingConfig.includeThoughts", "thinking.display", "false is `omitted`"),
    turned("serviceTier", "service_tier", "by table", UNSAID_C),
    *OWN_REQUEST,
)

_GEMINI_MESSAGE: Final = (
    turned("systemInstruction", "system", "a block for each part"),
    turned("system_instruction", "system", "a block for each part"),
    kept("contents[].parts[].text", "content[text].text", "also one value where a list is meant"),
    lost("contents[].parts[].thought", "thoughts go back to who thought them", FOREIGN),
    turned(
        "contents[].parts[].thoughtSignature",
        "content[thinking].signature",
        "if Anthropic signed it, with the thought's text",
        FOREIGN,
    ),
    turned(
        "contents[].parts[].inlineData",
        "content[image].source",
        "pictures of JPEG, PNG, GIF and WebP, PDF as documents, text files as text; else a note is left",
        UNSAID,
    ),
    turned("contents[].parts[].inlineData.displayName", "content[document].title", "of documents", UNSAID_C),
    turned(
        "contents[].parts[].fileData",
        "content[image].source",
        "pictures and PDF by address; what Google stores leaves a note; what has no media type is lost",
        UNSAID,
        UNKNOWN_PART,
    ),
    turned("contents[].parts[].fileData.displayName", "content[document].title", "of documents", UNSAID_C),
    turned(
        "contents[].parts[].functionCall",
        "content[tool_use]",
        "an id where there is none; ids and names in Anthropic's form",
        REPAIRED_S,
    ),
    turned(
        "contents[].parts[].functionResponse",
        "content[tool_result]",
        "paired by id, else by name and order; `output` and `result` as they are, `error` as an error, any other object"
        " as its JSON",
        REPAIRED_S,
    ),
    *OWN_PARTS,
)

_GEMINI_TOOLS: Final = (
    turned(
        _DECLARED + "name",
        "tools[].name",
        "in Anthropic's form, and put back in the answer; not a tool that the choice rules out",
        CONVERTED,
    ),
    kept(_DECLARED + "description", "tools[].description"),
    kept(_DECLARED + "parametersJsonSchema", "tools[].input_schema"),
    turned(
        _DECLARED + "parameters",
        "tools[].input_schema",
        "as JSON Schema; does not count beside `parametersJsonSchema`",
        CONVERTED,
    ),
    turned(_CALLING + ".mode", "tool_choice", "`ANY` is `any`, `VALIDATED` is `auto`", CONVERTED, CAPABILITY),
    turned(
        _CALLING + ".allowedFunctionNames",
        "tool_choice",
        "one is that tool, of several the other tools are not shown",
    ),
    *OWN_TOOLS,
)

# --- Gemini -> Messages: answers ------------------------------------------------------------------------

_GEMINI_ANSWER: Final = (
    turned("responseId", "id", "with `msg_` before it"),
    kept("modelVersion", "model"),
    turned("candidates[].index", "", "the first"),
    turned("candidates[].tokenCount", "", "the usage says it"),
    turned("candidates[].content.role", "role", "`assistant`"),
    kept("candidates[].content.parts[].text", "content[text].text"),
    turned("candidates[].content.parts[].thought", "content[thinking].thinking", "its text"),
    turned(
        "candidates[].content.parts[].thoughtSignature",
        "content[thinking].signature",
        "of texts, as `tgw:ISSUER:SIGNATURE`; the gateway keeps those of calls",
    ),
    turned(
        "candidates[].content.parts[].functionCall",
        "content[tool_use]",
        "an id where there is none; the client's own name of the tool",
    ),
    *(
        lost(f"candidates[].content.parts[].{name}", "", UNSAID)
        for name in ("inlineData", "fileData", "functionResponse")
    ),
    turned("promptFeedback", "content[text].text", "why the prompt was blocked, with stop reason `refusal`"),
    turned(
        "candidates[].finishReason",
        "stop_reason",
        "by table; after calls `tool_use`; of an answer that failed an error",
        UNKNOWN_FIELD,
    ),
    *OWN_ANSWER,
)

_GEMINI_USAGE: Final = (
    turned(
        "usageMetadata.promptTokenCount",
        "usage.input_tokens",
        "with what tools put into it, without what was read from the cache",
    ),
    turned("usageMetadata.toolUsePromptTokenCount", "usage.input_tokens", "a part of it"),
    kept("usageMetadata.cachedContentTokenCount", "usage.cache_read_input_tokens"),
    turned("usageMetadata.candidatesTokenCount", "usage.output_tokens", "with what was thought"),
    kept("usageMetadata.thoughtsTokenCount", "usage.output_tokens_details.thinking_tokens"),
    lost("usageMetadata.promptTokensDetails", "unless without audio", UNSAID_C),
    lost("usageMetadata.candidatesTokensDetails", "unless without audio", UNSAID_C),
    turned("usageMetadata", "", "figures that Messages has no word for are in the others"),
)

_GEMINI_STREAM: Final = (
    turned("text", "content_block_delta[text_delta]", "each as it comes"),
    turned("thought", "content_block_delta[thinking_delta]", "each as it comes"),
    turned("thoughtSignature", "content_block_delta[signature_delta]", "of texts, with its issuer"),
    turned("functionCall", "content_block_delta[input_json_delta]", "whole, in a block of its own"),
    lost("part[]", "parts that only Gemini has, whole", UNKNOWN_PART),
    turned("promptFeedback", "content_block_delta[text_delta]", "why the prompt was blocked"),
    turned("finishReason", "message_delta", "when the upstream closes: more may follow it"),
    turned("usageMetadata", "message_delta", "the last"),
    turned("error", "error", "nothing follows"),
)

# --- Messages -> Gemini: answers ------------------------------------------------------------------------

_PARTS: Final = "candidates[].content.parts[]."
_MESSAGES_ANSWER: Final = (
    turned("id", "responseId", "a new one"),
    turned("type", "", "Gemini has no word for it"),
    turned("role", "candidates[].content.role", "`model`"),
    kept("model", "modelVersion"),
    kept("content[text].text", _PARTS + "text"),
    kept("content[thinking].thinking", _PARTS + "text", "a thought"),
    turned("content[thinking].signature", _PARTS + "thoughtSignature", "`tgw:ISSUER:SIGNATURE` in base64"),
    turned("content[redacted_thinking]", _PARTS + "thoughtSignature", "`tgr:ISSUER:DATA` in base64"),
    turned(
        "content[tool_use]",
        _PARTS + "functionCall",
        "the client's own name of the tool; the forced tool's input is the text",
    ),
    lost("content[]", "the vendor's own tools and their results", UNKNOWN_PART),
    *own(("citations", "caller", "toolset_name"), "…."),
    turned("stop_reason", "candidates[].finishReason", "by table", CONVERTED_S, UNKNOWN_FIELD),
    lost("stop_sequence", "", UNSAID_C),
    *own(raw_fields(ResponseWire)),
)

_METADATA: Final = "usageMetadata."
_MESSAGES_USAGE: Final = (
    turned(
        "usage.input_tokens",
        _METADATA + "promptTokenCount",
        "with what was read from and written to the cache",
    ),
    turned("usage.output_tokens", _METADATA + "candidatesTokenCount", "without what was thought"),
    kept("usage.cache_read_input_tokens", _METADATA + "cachedContentTokenCount"),
    lost("usage.cache_creation_input_tokens", "a part of the prompt", UNSAID_C),
    lost("usage.cache_creation", "a part of the prompt", UNSAID_C),
    kept("usage.output_tokens_details.thinking_tokens", _METADATA + "thoughtsTokenCount"),
    lost("usage.server_tool_use", "the ledger has it", UNSAID_C),
    lost("usage.service_tier", "unless `standard`", UNSAID_C),
    turned("usage", "", "figures that Gemini has no word for are in the others"),
)

_MESSAGES_STREAM: Final = (
    turned("message_start", "text", "the first chunk"),
    turned("content_block_start[text]", "text", "with its first fragment"),
    turned("content_block_start[thinking]", "thought", "with its first fragment"),
    turned("content_block_start[redacted_thinking]", "thoughtSignature", "at once"),
    turned("content_block_start[tool_use]", "functionCall", "held until the call is whole"),
    lost("content_block_start[]", "blocks of the vendor's own, whole", UNKNOWN_PART),
    turned("content_block_delta[text_delta]", "text", "each as it comes"),
    turned("content_block_delta[input_json_delta]", "functionCall", "held until the call is whole"),
    turned("content_block_delta[thinking_delta]", "thought", "each as it comes"),
    turned("content_block_delta[signature_delta]", "thoughtSignature", "with its issuer"),
    lost("content_block_delta[citations_delta]", "once for each block", UNSAID),
    turned("content_block_stop", "", "nothing, or the call"),
    turned("message_delta", "finishReason", "in the last chunk, with the usage"),
    turned("message_stop", "finishReason", "the last chunk"),
    turned("ping", "", "nothing"),
    turned("error", "error", "nothing follows"),
)

ROWS: Final[Rows] = {
    (_MESSAGES, _GEMINI, Section.REQUEST): _MESSAGES_REQUEST,
    (_MESSAGES, _GEMINI, Section.MESSAGE): _MESSAGES_MESSAGE,
    (_MESSAGES, _GEMINI, Section.TOOLS): _MESSAGES_TOOLS,
    (_MESSAGES, _GEMINI, Section.ANSWER): _MESSAGES_ANSWER,
    (_MESSAGES, _GEMINI, Section.USAGE): _MESSAGES_USAGE,
    (_MESSAGES, _GEMINI, Section.STREAM): _MESSAGES_STREAM,
    (_GEMINI, _MESSAGES, Section.REQUEST): _GEMINI_REQUEST,
    (_GEMINI, _MESSAGES, Section.MESSAGE): _GEMINI_MESSAGE,
    (_GEMINI, _MESSAGES, Section.TOOLS): _GEMINI_TOOLS,
    (_GEMINI, _MESSAGES, Section.ANSWER): _GEMINI_ANSWER,
    (_GEMINI, _MESSAGES, Section.USAGE): _GEMINI_USAGE,
    (_GEMINI, _MESSAGES, Section.STREAM): _GEMINI_STREAM,
}

WORDS: Final[Words] = {
    (_GEMINI, _MESSAGES, "Finish reasons"): stops(GEMINI_FINISH, STOP_REASON_OF),
    (_MESSAGES, _GEMINI, "Stop reasons"): stops(FINISH_OF, GEMINI_SAYS),
    (_MESSAGES, _GEMINI, "Service tier asked for"): tiers(REQUEST_TIER_OF, GEMINI_TIER),
}
