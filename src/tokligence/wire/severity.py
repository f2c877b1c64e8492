"""How much is lost when a field that only one protocol has is dropped.

`EXTRA_SEVERITY` is by field name, for every place where a field may stand (request, message, part, tool, answer).
A name that is not in the table is not known to us, so it counts as semantic. Names from the vendors' SDKs of
2026-11 (openai 3.57 `types/chat`, anthropic 2.13 `types` and `types/beta`).
"""

from __future__ import annotations

from typing import Final

from tokligence.conversation import Extras, Loss, LossReason, ProtocolId, Severity

_C, _S = Severity.COSMETIC, Severity.SEMANTIC

EXTRA_SEVERITY: Final[dict[str, Severity]] = {
    # --- OpenAI Chat, request
    "audio": _S,
    "include_obfuscation": _C,
    "modalities": _S,
    "moderation": _S,
    "prediction": _C,  # makes the same answer faster
    "prompt_cache_breakpoint": _C,
    "prompt_cache_key": _C,
    "prompt_cache_options": _C,
    "prompt_cache_retention": _C,
    "response_format": _S,
    "safety_identifier": _C,
    "store": _C,
    "web_search_options": _S,
    # --- OpenAI Chat, answer
    "annotations": _S,
    "logprobs": _S,
    "object": _C,
    "obfuscation": _C,
    "system_fingerprint": _C,
    # --- OpenAI Responses, request
    "access_programs": _C,
    "async": _S,
    "client_metadata": _C,
    "detail": _C,  # of a file's pages
    "image": _C,  # how pictures are compressed
    "include": _C,  # more of what the vendor's own tools found
    "max_tool_calls": _C,  # of the vendor's own tools
    "namespace_description": _C,
    "output_schema": _C,  # for programs that call the tool
    "phase": _C,  # for the vendor's models
    "prompt": _S,
    "reasoning.context": _C,
    "reasoning.mode": _S,
    "stream_options.include_obfuscation": _C,
    "text.format": _S,
    "tool_choice": _S,
    "truncation": _C,  # where it mattered, the other vendor refuses
    # --- OpenAI Responses, answer
    "prompt_cache_diagnostics": _C,
    # --- Anthropic, request
    "allowed_callers": _S,
    "billing_policy": _C,
    "cache_control": _C,
    "caller": _S,
    "citations": _S,
    "clear_at": _S,
    "compaction": _S,
    "container": _S,
    # Old thinking and old tool results are cleared in long conversations; without it the model sees more, not less.
    "context_management": _C,
    "defer_loading": _C,  # the tool is shown at once instead of when it is searched for
    "diagnostics": _C,
    "eager_input_streaming": _C,
    "fallback_credit_token": _C,
    "fallbacks": _S,
    "inference_geo": _S,  # where data may go is not ours to drop silently
    "input_examples": _S,
    "mcp_servers": _S,
    "output_config": _S,  # what is left of it: a task's budget
    "speed": _C,
    "thinking": _S,  # a kind that only Anthropic has
    "thread": _S,
    "toolset_name": _S,
    "transformations": _S,
    "user_profile_id": _C,
    "workspace_id": _C,
    # --- Anthropic, answer
    "input_transformations": _C,
    "stop_details": _C,  # the finish reason says it in one word
    # --- Gemini, request
    "audioMetadata": _S,
    "behavior": _S,
    "cachedContent": _S,
    "displayName": _C,
    "documentMetadata": _S,
    "functionResponse.scheduling": _C,
    "functionResponse.willContinue": _S,
    "generationConfig.audioTimestamp": _S,
    "generationConfig.audioTranscriptionConfig": _S,
    "generationConfig.continuationToken": _S,
    "generationConfig.enableAffectiveDialog": _S,
    "generationConfig.enableEnhancedCivicAnswers": _S,
    "generationConfig.imageConfig": _S,
    "generationConfig.mediaResolution": _C,  # how many tokens a picture may cost
    "generationConfig.modelSelectionConfig": _C,
    "generationConfig.responseFormat": _S,
    "generationConfig.responseJsonSchema": _S,
    "generationConfig.responseMimeType": _S,
    "generationConfig.responseModalities": _S,
    "generationConfig.responseSchema": _S,
    "generationConfig.routingConfig": _C,
    "generationConfig.speechConfig": _S,
    "generationConfig.translationConfig": _S,
    "labels": _C,
    "mediaProcessing": _S,
    "mediaResolution": _C,
    "partialArgs": _S,
    "partMetadata": _C,
    "responseJsonSchema": _C,  # of a function's response: it describes, the response follows
    "response": _C,
    "safetySettings": _C,  # other vendors have their own safety, which cannot be set
    "speechMetadata": _S,
    "spreadsheetMetadata": _S,
    "streamFunctionCallArguments": _C,
    "toolConfig.includeServerSideToolInvocations": _C,
    "toolConfig.retrievalConfig": _S,
    "videoMetadata": _S,
    "willContinue": _S,
    # --- Gemini, answer
    "audioTranscription": _S,
    "avgLogprobs": _C,
    "citationMetadata": _S,
    "continuationToken": _S,
    "createTime": _C,
    "finishMessage": _C,
    "groundingMetadata": _S,
    "logprobsResult": _S,
    "modelStatus": _C,
    "promptFeedback.safetyRatings": _C,
    "safetyRatings": _C,
    "urlContextMetadata": _S,
    # --- OpenRouter and self-hosted servers
    "format": _C,  # of a reasoning detail: names the vendor's encoding
    "id": _C,
    "index": _C,
    "native_finish_reason": _C,
    "provider": _C,
    "timings": _C,
}


def severity_of(name: str) -> Severity:
    return EXTRA_SEVERITY.get(name, _S)


def foreign_losses(extras: Extras | None, own: ProtocolId, path: str = "") -> list[Loss]:
    """The losses of writing `extras` in protocol `own`: none if they are its own, else one for each field."""
    if extras is None or extras.origin is own:
        return []
    before = f"{path}." if path else ""
    return [
        Loss(
            before + name,
            LossReason.UNSUPPORTED if name in EXTRA_SEVERITY else LossReason.UNKNOWN_FIELD,
            severity_of(name),
        )
        for name in extras.fields
    ]
