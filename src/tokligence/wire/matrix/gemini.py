"""Rows of Gemini that are the same whichever protocol stands on the other side."""

from __future__ import annotations

from typing import Final

from tokligence.wire.gemini.tables import OWN_CONFIG, OWN_PART
from tokligence.wire.matrix.rows import UNKNOWN_PART, UNSAID, Row, lost, own

OWN_REQUEST: Final[tuple[Row, ...]] = (
    *own(("cachedContent", "labels", "safetySettings", "store")),
    *own(tuple(f"generationConfig.{name}" for name in OWN_CONFIG)),
    *own(("toolConfig.includeServerSideToolInvocations", "toolConfig.retrievalConfig")),
)
"""Fields of a request that only Gemini has."""

OWN_PARTS: Final[tuple[Row, ...]] = (
    *own(OWN_PART, "contents[].parts[]."),
    *(
        lost(f"contents[].parts[].{name}", "", UNKNOWN_PART)
        for name in ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
    ),
    *own(("functionResponse.scheduling", "functionResponse.willContinue"), "contents[].parts[]."),
    *own(("partialArgs", "willContinue"), "contents[].parts[].functionCall."),
)
"""What stands in or beside a part."""

OWN_TOOLS: Final[tuple[Row, ...]] = (
    *own(("behavior", "response", "responseJsonSchema"), "tools[].functionDeclarations[]."),
    *(lost(f"tools[].{name}", "", UNSAID) for name in ("googleSearch", "codeExecution", "urlContext")),
    *own(("streamFunctionCallArguments",), "toolConfig.functionCallingConfig."),
)

OWN_ANSWER: Final[tuple[Row, ...]] = (
    lost("candidates[further]", "", UNSAID),
    *own(("createTime", "modelStatus")),
    *own(
        (
            "avgLogprobs",
            "citationMetadata",
            "continuationToken",
            "finishMessage",
            "groundingMetadata",
            "logprobsResult",
            "safetyRatings",
            "urlContextMetadata",
        ),
        "candidates[].",
    ),
    *own(("promptFeedback.safetyRatings",)),
    *own(("partMetadata",), "candidates[].content.parts[]."),
    *(
        lost(f"candidates[].content.parts[].{name}", "", UNKNOWN_PART)
        for name in ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
    ),
)
