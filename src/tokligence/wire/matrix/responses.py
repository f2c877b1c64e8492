"""Rows that Responses has with every other protocol."""

from __future__ import annotations

from typing import Final

from tokligence.wire.matrix.rows import (
    CONVERTED,
    CONVERTED_S,
    EMPTY,
    UNKNOWN_PART,
    UNSAID,
    UNSAID_C,
    LossKind,
    Row,
    lost,
    own,
    turned,
)
from tokligence.wire.openai_responses.types import KEPT_RAW, TOLD

_STATE: Final = tuple(
    turned(name, "", "the gateway keeps the state, before the request is read")
    for name in ("background", "background_options", "conversation", "previous_response_id", "store")
)


def options(*shared: str, include: tuple[LossKind, ...] = (UNSAID_C,)) -> tuple[Row, ...]:
    """Fields of a request that only Responses has. `shared`: those that the other protocol has as well."""
    return (
        lost("reasoning.context", "unless `auto`", UNSAID_C),
        lost("reasoning.mode", "unless `standard`", UNSAID),
        lost("stream_options.include_obfuscation", "", UNSAID_C),
        lost("include", "what the vendor's own tools found; encrypted reasoning is always given", *include),
        *own(tuple(name for name in KEPT_RAW if name not in shared)),
        *_STATE,
    )


def items(*alone: LossKind) -> tuple[Row, ...]:
    """What only Responses says of items, or says otherwise. `alone`: what is lost with a turn of one such item."""
    return (
        turned("input[].id", "", "names the item within its vendor's store"),
        turned("input[].status", "", "a history is complete"),
        *own(("phase",), "input[assistant]."),
        *own(("caller", "async"), "input[function_call]."),
        *own(("caller", "async"), "input[custom_tool_call]."),
        *own(("caller",), "input[function_call_output]."),
        *own(("caller",), "input[custom_tool_call_output]."),
        *(
            turned(f"input[{kind}].{name}", "", "repeats what the call says")
            for kind in ("function_call_output", "custom_tool_call_output")
            for name in ("name", "namespace")
        ),
        turned("input[reasoning].content", "", "the text, unless there is a summary", CONVERTED),
        turned("input[reasoning].id", "", "a part of what is signed; an item that says nothing goes", EMPTY),
        *own(("annotations", "logprobs"), "content[output_text]."),
        turned(
            "input[developer].tools",
            "",
            "the tools of `additional_tools` join those of the request",
            CONVERTED,
        ),
        turned("input[developer].type", "", "a message, or tools"),
        *(
            lost(f"input[{kind}]", "what only its dialect has", UNKNOWN_PART, *alone)
            for kind in ("compaction", "tool_search_call")
        ),
        *(
            lost(f"input[{kind}]", "as all that the vendor's own tools did", UNKNOWN_PART)
            for kind in (
                "local_shell_call",
                "local_shell_call_output",
                "tool_search_output",
                "web_search_call",
            )
        ),
    )


TOOLS: Final = (
    turned("tools[custom].format", "", "in the description, and binds nobody any more", CONVERTED_S),
    turned("tools[namespace].name", "", "before the names of its tools: `NAMESPACE__NAME`"),
    turned("tools[namespace].description", "", "in the description of its first tool"),
    turned("tools[namespace].tools[custom]", "", "as other free ones", CONVERTED),
    turned("tools[namespace].tools[function]", "", "as other functions"),
    lost("tools[]", "a tool that the vendor runs, or that only its dialect has", UNSAID),
    *own(("allowed_callers", "async", "defer_loading", "output_schema"), "tools[function]."),
    *own(("allowed_callers", "async", "defer_loading"), "tools[custom]."),
    lost("tool_choice[web_search_preview]", "as all that the vendor runs", UNSAID),
)

ECHO: Final = tuple(
    turned(name, "", "what the request said")
    for name in (
        "access_programs",
        "background",
        "billing",
        "completed_at",
        "conversation",
        "frequency_penalty",
        "image",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "output_text",
        "parallel_tool_calls",
        "presence_penalty",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "store",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    )
)
"""Fields of an answer that repeat its request or what stands in the rest of it."""

OWN_ANSWER: Final = (
    *own(TOLD),
    *own(("phase",), "output[assistant]."),
    *own(("caller", "async"), "output[function_call]."),
    *own(("annotations", "logprobs"), "content[output_text]."),
    lost("output[web_search_call]", "as all that the vendor's own tools did", UNKNOWN_PART),
    turned("output[].id", "", "names the item within its vendor's store"),
    turned("output[].status", "", "the answer's own says it"),
    *ECHO,
)
