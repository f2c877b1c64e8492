"""Chat Completions and Gemini, each in the other."""

from __future__ import annotations

from typing import Final

from tokligence.conversation import ProtocolId
from tokligence.wire.gemini.tables import FINISH_OF as GEMINI_FINISH
from tokligence.wire.gemini.tables import FINISH_REASON as GEMINI_SAYS
from tokligence.wire.gemini.tables import REQUEST_TIER_OF
from tokligence.wire.matrix.chat_messages import UNSAID_BY_CHAT
from tokligence.wire.matrix.gemini import OWN_ANSWER, OWN_PARTS, OWN_REQUEST, OWN_TOOLS
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
    UNKNOWN_PART,
    UNSAID,
    UNSAID_C,
    Rows,
    Section,
    Words,
    kept,
    lost,
    own,
    stops,
    tiers,
    turned,
)
from tokligence.wire.openai.tiers import SERVICE_TIER
from tokligence.wire.openai_chat.tables import FINISH_OF, FINISH_REASON
from tokligence.wire.openai_chat.types import KEPT_RAW

_CHAT: Final = ProtocolId.OPENAI_CHAT
_GEMINI: Final = ProtocolId.GEMINI

# --- Chat -> Gemini: requests ---------------------------------------------------------------------------

_CONFIG: Final = "generationConfig."
_CHAT_REQUEST: Final = (
    turned("model", "", "in the path"),
    turned("max_completion_tokens", _CONFIG + "maxOutputTokens", "at most the catalogue's limit"),
    turned(
        "max_tokens", _CONFIG + "maxOutputTokens", "does not count beside `max_completion_tokens`", CONVERTED
    ),
    turned("stop", _CONFIG + "stopSequences", "the first five", CLAMPED_S),
    kept("temperature", _CONFIG + "temperature"),
    kept("top_p", _CONFIG + "topP"),
    kept("top_k", _CONFIG + "topK"),
    kept("seed", _CONFIG + "seed", "of 31 bits", CONVERTED),
    kept("frequency_penalty", _CONFIG + "frequencyPenalty", "to models that take it", CAPABILITY),
    kept("presence_penalty", _CONFIG + "presencePenalty", "to models that take it", CAPABILITY),
    *(
        lost(name, "unless it asks for nothing: the answer could not carry it", UNSAID)
        for name in ("n", "logprobs", "top_logprobs", "logit_bias")
    ),
    turned("response_format[text]", "", "the default"),
    turned("response_format[json_object]", _CONFIG + "responseMimeType", "", CAPABILITY),
    turned(
        "response_format[json_schema]",
        _CONFIG + "responseJsonSchema",
        "not beside functions on models before 3",
        CAPABILITY,
    ),
    lost("response_format[json_schema].json_schema.name", "", UNSAID_C),
    turned(
        "response_format[json_schema].json_schema.description",
        _CONFIG + "responseJsonSchema.description",
        "joins the schema's own",
    ),
    turned("response_format[json_schema].json_schema.strict", "", "Gemini enforces every schema"),
    turned(
        "reasoning_effort",
        _CONFIG + "thinkingConfig",
        "the nearest level, before 3 a budget; models that always think are asked to think least",
        CLAMPED,
        CAPABILITY,
    ),
    turned("reasoning", _CONFIG + "thinkingConfig", "a budget is the nearest level since 3", CONVERTED),
    turned("reasoning.exclude", _CONFIG + "thinkingConfig.includeThoughts", "the opposite"),
    lost("reasoning.summary", "", UNSAID_C),
    lost("verbosity", "unless `medium`", UNSAID),
    turned("service_tier", "serviceTier", "by table", UNSAID_C),
    lost("user", "", UNSAID_C),
    lost("metadata", "", UNSAID_C),
    turned("stream", "", "in the path"),
    turned("stream_options.include_usage", "", "the gateway writes the usage chunk"),
    lost("stream_options.include_obfuscation", "", UNSAID_C),
    *own(KEPT_RAW),
)

_SAID: Final = "contents[model].parts[]."
_ASKED: Final = "contents[user].parts[]."
_CHAT_MESSAGE: Final = (
    turned(
        "messages[system].content",
        "systemInstruction.parts[].text",
        "at the start; later said by the user between `<system>` and `</system>`",
        CONVERTED,
    ),
    turned("messages[developer].content", "systemInstruction.parts[].text", "as a system message"),
    kept("messages[user].content", _ASKED + "text", "turns of one role in a row are one content", EMPTY),
    kept(
        "messages[assistant].content",
        _SAID + "text",
        "a first one follows a made-up user's content",
        REPAIRED,
        EMPTY,
    ),
    turned(
        "messages[tool].content",
        _ASKED + "functionResponse.response",
        "a JSON object as it is, a text as `result`; several texts in one; one response for each call: a missing one"
        " becomes an error, one without a call text",
        CONVERTED,
        REPAIRED_S,
    ),
    kept("messages[tool].tool_call_id", _ASKED + "functionResponse.id", "", REPAIRED_S),
    lost("messages[tool].name", "", UNSAID_C),
    turned("messages[function]", _ASKED + "functionResponse", "paired by name with the call before"),
    lost("messages[].name", "", UNSAID_C),
    turned("messages[assistant].refusal", _SAID + "text", "as text", CONVERTED),
    turned("content[refusal]", _SAID + "text", "as text", CONVERTED),
    turned(
        "messages[assistant].tool_calls[function]",
        _SAID + "functionCall",
        "names in Google's form; arguments that are no object below `invalid_json`; an id used twice gets another;"
        " without Google's signature with a placeholder, where the model demands one",
        REPAIRED,
        REPAIRED_S,
    ),
    turned(
        "messages[assistant].tool_calls[custom]", _SAID + "functionCall", "its text as `input`", UNKNOWN_FIELD
    ),
    turned(
        "messages[assistant].function_call", _SAID + "functionCall", "with an id made of the message's number"
    ),
    *own(("audio", "annotations"), "messages[assistant]."),
    lost("messages[assistant].reasoning_content", "nobody signed it", FOREIGN),
    lost("messages[assistant].reasoning", "nobody signed it", FOREIGN),
    turned(
        "messages[assistant].reasoning_details[reasoning.text]",
        _SAID + "thoughtSignature",
        "if it is Google's: with its text as a thought, without beside the text or the call that it proves",
        FOREIGN,
    ),
    lost("messages[assistant].reasoning_details[reasoning.encrypted]", "Google gives none", FOREIGN),
    lost("messages[assistant].reasoning_details[reasoning.summary]", "nobody signed it", FOREIGN),
    lost("messages[assistant].reasoning_details[].id", "", UNSAID_C),
    lost("messages[assistant].reasoning_details[].format", "", UNSAID_C),
    kept("content[text].text", _ASKED + "text"),
    turned(
        "content[image_url].image_url.url",
        _ASKED + "inlineData",
        "a data URL of PNG, JPEG, WebP or HEIC, an `https` address as `fileData`; else a note is left",
        UNSAID,
    ),
    lost("content[image_url].image_url.detail", "unless `auto`", UNSAID_C),
    turned("content[input_audio]", _ASKED + "inlineData", ""),
    turned(
        "content[file].file.file_data", _ASKED + "inlineData", "PDF as it is, text files as text", CONVERTED
    ),
    turned("content[file].file.filename", _ASKED + "text", "text before the document", CONVERTED),
    lost("content[file].file.file_id", "a note is left", UNSAID),
    lost("….cache_control", "Gemini caches by itself; one loss stands for all marks", UNSAID_C),
    lost("….prompt_cache_breakpoint", "Gemini caches by itself", CLAMPED),
)

_DECLARED: Final = "tools[].functionDeclarations[]."
_CALLING: Final = "toolConfig.functionCallingConfig"
_CHAT_TOOLS: Final = (
    turned(
        "tools[function].function.name",
        _DECLARED + "name",
        "in Google's form, and put back in the answer",
    ),
    kept("tools[function].function.description", _DECLARED + "description"),
    kept(
        "tools[function].function.parameters",
        _DECLARED + "parametersJsonSchema",
        "made an object schema; in Google's subset where an endpoint takes no other",
        REPAIRED_S,
    ),
    turned("tools[function].function.strict", _CALLING + ".mode", "`VALIDATED`"),
    turned("functions[]", _DECLARED + "name", "as tools"),
    lost("tools[custom]", "", UNSAID),
    turned("tool_choice", _CALLING, "`required` is `ANY`"),
    lost("tool_choice[custom]", "", UNSAID),
    turned("tool_choice[allowed_tools]", _CALLING + ".allowedFunctionNames", "`auto` is `VALIDATED`"),
    turned("function_call", _CALLING, "as a tool choice"),
    lost("parallel_tool_calls", "unless true", UNSAID),
)

# --- Gemini -> Chat: requests ---------------------------------------------------------------------------

_GEMINI_REQUEST: Final = (
    turned("model", "model", "the model that the path, and then the route, names"),
    turned(_CONFIG + "maxOutputTokens", "max_completion_tokens", "or `max_tokens`, as the server takes it"),
    kept(_CONFIG + "stopSequences", "stop", "the first four"),
    kept(_CONFIG + "temperature", "temperature"),
    kept(_CONFIG + "topP", "top_p"),
    lost(_CONFIG + "topK", "", UNSAID),
    kept(_CONFIG + "seed", "seed"),
    kept(_CONFIG + "candidateCount", "n"),
    kept(_CONFIG + "presencePenalty", "presence_penalty"),
    kept(_CONFIG + "frequencyPenalty", "frequency_penalty"),
    kept(_CONFIG + "responseLogprobs", "logprobs"),
    kept(_CONFIG + "logprobs", "top_logprobs"),
    turned(_CONFIG + "responseMimeType", "response_format.type", "a type of others is lost", UNSAID),
    turned(
        _CONFIG + "responseSchema",
        "response_format.json_schema.schema",
        "as JSON Schema; strict if it is ready for it",
        CONVERTED_S,
        UNSAID,
    ),
    turned(
        _CONFIG + "responseJsonSchema",
        "response_format.json_schema.schema",
        "strict if it is ready for it",
        CONVERTED_S,
        UNSAID,
    ),
    turned(
        _CONFIG + "thinkingConfig",
        "reasoning_effort",
        "the nearest word; -1 is the model's default",
        CONVERTED,
        CAPABILITY,
    ),
    lost(_CONFIG + "thinkingConfig.includeThoughts", "", UNSAID_C),
    turned("serviceTier", "service_tier", "by table"),
    *OWN_REQUEST,
)

_GEMINI_MESSAGE: Final = (
    turned("systemInstruction", "messages[system].content", "the first message"),
    turned("system_instruction", "messages[system].content", "the first message"),
    kept("contents[].parts[].text", "messages[].content", "also one value where a list is meant"),
    lost("contents[].parts[].thought", "thoughts go back to who thought them", FOREIGN),
    turned(
        "contents[].parts[].thoughtSignature",
        "messages[assistant].reasoning_details",
        "to a server that takes reasoning back and signed it",
        FOREIGN,
    ),
    turned(
        "contents[].parts[].inlineData",
        "content[image_url].image_url.url",
        "pictures as data URLs, sound as audio, PDF as files, text files as text",
        CONVERTED,
    ),
    lost("contents[].parts[].inlineData.displayName", "of pictures and sound", UNSAID_C),
    turned(
        "contents[].parts[].fileData",
        "content[image_url].image_url.url",
        "pictures by address; a document's address as text; what Google stores leaves a note; what has no media type"
        " is lost",
        CONVERTED_S,
        UNSAID,
        UNKNOWN_PART,
    ),
    lost("contents[].parts[].fileData.displayName", "of pictures", UNSAID_C, CONVERTED_S),
    turned(
        "contents[].parts[].functionCall",
        "messages[assistant].tool_calls[function]",
        "`args` as the text of the arguments; an id where there is none",
        REPAIRED_S,
    ),
    turned(
        "contents[].parts[].functionResponse",
        "messages[tool].content",
        "paired by id, else by name and order; `output` and `result` as they are, `error` after `Error:`, any other"
        " object as its JSON; pictures go into the user's message that follows",
        CONVERTED,
        REPAIRED_S,
    ),
    *OWN_PARTS,
)

_GEMINI_TOOLS: Final = (
    turned(
        "tools[].functionDeclarations[].name",
        "tools[function].function.name",
        "at most 64 characters, and put back in the answer",
    ),
    kept("tools[].functionDeclarations[].description", "tools[function].function.description"),
    kept("tools[].functionDeclarations[].parametersJsonSchema", "tools[function].function.parameters"),
    turned(
        "tools[].functionDeclarations[].parameters",
        "tools[function].function.parameters",
        "as JSON Schema; does not count beside `parametersJsonSchema`",
        CONVERTED,
    ),
    turned(
        "toolConfig.functionCallingConfig.mode",
        "tool_choice",
        "`ANY` is `required`, `VALIDATED` is `auto`",
        CONVERTED,
    ),
    turned("toolConfig.functionCallingConfig.allowedFunctionNames", "tool_choice", "one is that function"),
    *OWN_TOOLS,
)

# --- Gemini -> Chat: answers ----------------------------------------------------------------------------

_MESSAGE: Final = "choices[].message."
_GEMINI_ANSWER: Final = (
    turned("responseId", "id", "a new one in OpenAI's form"),
    kept("modelVersion", "model"),
    turned("candidates[].index", "choices[].index", "the first"),
    turned("candidates[].tokenCount", "", "the usage says it"),
    turned("candidates[].content.role", _MESSAGE + "role", "`assistant`"),
    kept("candidates[].content.parts[].text", _MESSAGE + "content", "all text in one"),
    turned(
        "candidates[].content.parts[].thought",
        _MESSAGE + "reasoning_content",
        "its text, also as `reasoning_details`",
    ),
    kept(
        "candidates[].content.parts[].thoughtSignature",
        _MESSAGE + "reasoning_details[].signature",
        "of texts, with its issuer; the gateway keeps those of calls",
    ),
    turned(
        "candidates[].content.parts[].functionCall",
        _MESSAGE + "tool_calls[function]",
        "`args` as the text of the arguments; an id where there is none; the client's own name of the tool",
    ),
    *(
        lost(f"candidates[].content.parts[].{name}", "", UNKNOWN_PART)
        for name in ("inlineData", "fileData", "functionResponse")
    ),
    turned("promptFeedback", _MESSAGE + "refusal", "why the prompt was blocked"),
    turned(
        "candidates[].finishReason",
        "choices[].finish_reason",
        "by table; after calls `tool_calls`; of an answer that failed an error",
        CONVERTED_S,
        UNKNOWN_FIELD,
    ),
    *OWN_ANSWER,
)

_GEMINI_USAGE: Final = (
    turned("usageMetadata.promptTokenCount", "usage.prompt_tokens", "with what tools put into it"),
    turned("usageMetadata.toolUsePromptTokenCount", "usage.prompt_tokens", "a part of it"),
    kept("usageMetadata.cachedContentTokenCount", "usage.prompt_tokens_details.cached_tokens"),
    turned("usageMetadata.candidatesTokenCount", "usage.completion_tokens", "with what was thought"),
    kept("usageMetadata.thoughtsTokenCount", "usage.completion_tokens_details.reasoning_tokens"),
    turned("usageMetadata.promptTokensDetails", "usage.prompt_tokens_details.audio_tokens", "those of audio"),
    turned(
        "usageMetadata.candidatesTokensDetails",
        "usage.completion_tokens_details.audio_tokens",
        "those of audio",
    ),
    turned("usageMetadata", "", "figures that Chat has no word for are in the others"),
)

_GEMINI_STREAM: Final = (
    turned("text", "delta.content", "each as it comes"),
    turned("thought", "delta.reasoning_content", "and `reasoning_details`"),
    turned("thoughtSignature", "delta.reasoning_details", "of texts, with its issuer"),
    turned("functionCall", "delta.tool_calls", "whole"),
    lost("part[]", "parts that only Gemini has, whole", UNKNOWN_PART),
    turned("promptFeedback", "delta.refusal", "why the prompt was blocked"),
    turned("finishReason", "finish_reason", "when the upstream closes: more may follow it"),
    turned("usageMetadata", "usage", "the last, if the client asked for it"),
    turned("error", "error", "a chunk with `error`; no `[DONE]` follows"),
)

# --- Chat -> Gemini: answers ----------------------------------------------------------------------------

_PARTS: Final = "candidates[].content.parts[]."
_CHAT_ANSWER: Final = (
    turned("id", "responseId", "a new one"),
    turned("object", "", "Gemini has no word for it"),
    turned("created", "", "Gemini has no time"),
    kept("model", "modelVersion"),
    lost("service_tier", "unless `default`", UNSAID_C),
    *own(("system_fingerprint", "moderation")),
    turned("metadata", "", "what the request said"),
    turned("choices[].index", "candidates[].index", "the first choice"),
    lost("choices[further]", "", UNSAID),
    turned("choices[].message.role", "candidates[].content.role", "`model`"),
    kept("choices[].message.content", _PARTS + "text"),
    kept("choices[].message.refusal", _PARTS + "text", "with finish reason `SAFETY`"),
    turned(
        "choices[].message.tool_calls[function]",
        _PARTS + "functionCall",
        "arguments as `args`; what is no object below `invalid_json`; the client's own name of the tool",
        REPAIRED,
    ),
    turned(
        "choices[].message.tool_calls[custom]", _PARTS + "functionCall", "its text as `input`", UNKNOWN_FIELD
    ),
    turned("choices[].message.function_call", _PARTS + "functionCall", "with an id made of the answer's"),
    kept(
        "choices[].message.reasoning_content", _PARTS + "text", "a thought, whose signature says whose it is"
    ),
    kept("choices[].message.reasoning", _PARTS + "text", "if `reasoning_content` is absent"),
    turned(
        "choices[].message.reasoning_details[reasoning.text]",
        _PARTS + "thoughtSignature",
        "`tgw:ISSUER:SIGNATURE` in base64",
    ),
    turned("choices[].message.reasoning_details[reasoning.summary]", _PARTS + "text", "a thought"),
    turned(
        "choices[].message.reasoning_details[reasoning.encrypted]",
        _PARTS + "thoughtSignature",
        "`tgr:ISSUER:DATA` in base64",
    ),
    *own(("id", "format"), "choices[].message.reasoning_details[]."),
    *own(("annotations", "audio"), "choices[].message."),
    lost("choices[].logprobs", "", UNSAID),
    turned(
        "choices[].finish_reason",
        "candidates[].finishReason",
        "by table; what the answer holds decides",
        REPAIRED,
    ),
)

_METADATA: Final = "usageMetadata."
_CHAT_USAGE: Final = (
    kept("usage.prompt_tokens", _METADATA + "promptTokenCount"),
    turned("usage.completion_tokens", _METADATA + "candidatesTokenCount", "without what was thought"),
    kept("usage.total_tokens", _METADATA + "totalTokenCount"),
    kept("usage.prompt_tokens_details.cached_tokens", _METADATA + "cachedContentTokenCount"),
    lost("usage.prompt_tokens_details.cache_write_tokens", "a part of the prompt", UNSAID_C),
    turned("usage.prompt_tokens_details.audio_tokens", _METADATA + "promptTokensDetails", ""),
    turned("usage.completion_tokens_details.audio_tokens", _METADATA + "candidatesTokensDetails", ""),
    kept("usage.completion_tokens_details.reasoning_tokens", _METADATA + "thoughtsTokenCount"),
    turned("usage.completion_tokens_details", "", "a part of the output"),
    turned("usage.prompt_cache_hit_tokens", _METADATA + "cachedContentTokenCount", "DeepSeek's word"),
    turned("usage.cached_tokens", _METADATA + "cachedContentTokenCount", "Moonshot's word"),
)

_CHAT_STREAM: Final = (
    turned("delta.role", "", "nothing"),
    turned("delta.content", "text", "each as it comes"),
    turned("delta.refusal", "text", "each as it comes"),
    turned("delta.reasoning_content", "thought", "each as it comes"),
    turned("delta.reasoning", "thought", "each as it comes"),
    turned("delta.reasoning_details", "thoughtSignature", "text, signature and encrypted data"),
    turned("delta.tool_calls", "functionCall", "one part when the call is whole"),
    turned("delta.function_call", "functionCall", "as a tool call"),
    turned("finish_reason", "finishReason", "in the last chunk"),
    turned("usage", "usageMetadata", "in the last chunk"),
    turned("[DONE]", "finishReason", "the last chunk"),
    turned("error", "error", "nothing follows"),
)

ROWS: Final[Rows] = {
    (_CHAT, _GEMINI, Section.REQUEST): _CHAT_REQUEST,
    (_CHAT, _GEMINI, Section.MESSAGE): _CHAT_MESSAGE,
    (_CHAT, _GEMINI, Section.TOOLS): _CHAT_TOOLS,
    (_CHAT, _GEMINI, Section.ANSWER): _CHAT_ANSWER,
    (_CHAT, _GEMINI, Section.USAGE): _CHAT_USAGE,
    (_CHAT, _GEMINI, Section.STREAM): _CHAT_STREAM,
    (_GEMINI, _CHAT, Section.REQUEST): _GEMINI_REQUEST,
    (_GEMINI, _CHAT, Section.MESSAGE): _GEMINI_MESSAGE,
    (_GEMINI, _CHAT, Section.TOOLS): _GEMINI_TOOLS,
    (_GEMINI, _CHAT, Section.ANSWER): _GEMINI_ANSWER,
    (_GEMINI, _CHAT, Section.USAGE): _GEMINI_USAGE,
    (_GEMINI, _CHAT, Section.STREAM): _GEMINI_STREAM,
}

WORDS: Final[Words] = {
    (_GEMINI, _CHAT, "Finish reasons"): stops(GEMINI_FINISH, FINISH_REASON, UNSAID_BY_CHAT),
    (_CHAT, _GEMINI, "Finish reasons"): stops(FINISH_OF, GEMINI_SAYS),
    (_CHAT, _GEMINI, "Service tier asked for"): tiers(SERVICE_TIER, REQUEST_TIER_OF),
}
