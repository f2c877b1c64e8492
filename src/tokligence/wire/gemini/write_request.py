"""The conversation -> a Gemini request for a model, which its path names: `paths.target_path`.

| conversation                        | Gemini                                                                       |
|-------------------------------------|------------------------------------------------------------------------------|
| leading `system`, `developer`       | `systemInstruction`; later ones are said by the user                         |
| turns of one role in a row          | one content                                                                  |
| `ToolCall` without Google's proof   | a placeholder, where the model demands one                                   |
| `ToolResult`                        | `functionResponse`: an object as it is, a text as `result`, a failure as `error` |
| `Tool`                              | `parametersJsonSchema`, or `parameters` where the dialect has only that      |
| AUTO with names, strict tools       | VALIDATED                                                                    |
| `Reasoning`                         | `thinkingLevel` or `thinkingBudget`, as the model takes it                   |
"""

from __future__ import annotations

from typing import Final, cast

import msgspec
from msgspec import Raw

from tokligence.conversation import LossReason, Request, Severity
from tokligence.wire.contract import ReplyMemory, Target, Written
from tokligence.wire.gemini.config_out import write_config
from tokligence.wire.gemini.extras import OWN
from tokligence.wire.gemini.parts_out import Contents, Json
from tokligence.wire.gemini.tables import REQUEST_TIER_OF
from tokligence.wire.gemini.tools_out import write_tools
from tokligence.wire.gemini.traits import traits_of
from tokligence.wire.pairing import pair
from tokligence.wire.severity import foreign_losses
from tokligence.wire.terms import in_terms

_NO_MEMORY: Final = ReplyMemory()
_encode: Final = msgspec.json.Encoder().encode
_C, _S = Severity.COSMETIC, Severity.SEMANTIC


def write_request(request: Request, target: Target) -> Written:
    """Always a request that the vendor takes; what it cannot say is in the losses, in the client's terms."""
    traits = traits_of(target.model)
    contents = Contents(target, traits)
    turns, repairs = pair(request.turns)
    tools: Json = {}
    offered = write_tools(tools, request, target, contents)
    contents.write(turns)
    body = contents.body() | tools
    contents.losses += repairs
    config = write_config(request, target, traits, contents.losses, tools=offered)
    if config:
        body["generationConfig"] = config
    _write_rest(body, request, contents)
    memory = ReplyMemory(contents.renames) if contents.renames else _NO_MEMORY
    return Written(_encode(body), in_terms(contents.losses, request), memory)


def _write_rest(body: Json, request: Request, contents: Contents) -> None:
    if request.verbosity not in (None, "medium"):
        contents.lose("verbosity", LossReason.UNSUPPORTED, _S)
    if request.metadata:
        contents.lose("metadata", LossReason.UNSUPPORTED, _C)
    if request.user:
        contents.lose("user", LossReason.UNSUPPORTED, _C)
    if request.service_tier is not None:
        tier = REQUEST_TIER_OF.get(request.service_tier)
        if tier is not None:
            body["serviceTier"] = tier
        else:
            contents.lose("service_tier", LossReason.UNSUPPORTED, _C)
    extras = request.extras
    if extras is None:
        return
    contents.losses += foreign_losses(extras, OWN)
    if extras.origin is OWN:
        for name, raw in extras.fields.items():
            _put(body, name, Raw(raw), contents)


def _put(body: Json, path: str, value: Raw, contents: Contents) -> None:
    """A field of the vendor's own back where it was; what was decided for its place counts."""
    outer, dot, name = path.partition(".")
    node = cast("Json", body.setdefault(outer, {})) if dot else body
    if (name or outer) in node:
        contents.lose(path, LossReason.CONVERTED, _C)
    else:
        node[name or outer] = value
