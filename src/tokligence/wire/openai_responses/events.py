"""The events of a Responses stream, decoded leniently, since a stream's loop is hot (openai 3.57,
`types/responses/response_*_event.py`, read 2026-11-24). Some servers leave `output_index` or `item_id` out."""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Raw, Struct

from tokligence.wire.openai_responses.types import ABSENT


class Event(Struct, tag_field="type"):
    sequence_number: int | None = None


class ItemEvent(Event):
    output_index: int | None = None
    item_id: str | None = None
    obfuscation: str | None = None


# --- the response ---------------------------------------------------------------------------------------


class Created(Event, tag="response.created"):
    response: Raw = ABSENT


class InProgress(Event, tag="response.in_progress"):
    response: Raw = ABSENT


class Queued(Event, tag="response.queued"):
    response: Raw = ABSENT


class Completed(Event, tag="response.completed"):
    response: Raw = ABSENT


class Incomplete(Event, tag="response.incomplete"):
    response: Raw = ABSENT


class Failed(Event, tag="response.failed"):
    response: Raw = ABSENT


class Cancelled(Event, tag="response.cancelled"):
    response: Raw = ABSENT


class Error(Event, tag="error"):
    code: str | int | None = None
    message: str | None = None
    param: str | None = None
    error: Raw = ABSENT


class KeepAlive(Event, tag="keepalive"):
    pass


# --- items ----------------------------------------------------------------------------------------------


class ItemAdded(ItemEvent, tag="response.output_item.added"):
    item: Raw = ABSENT


class ItemDone(ItemEvent, tag="response.output_item.done"):
    item: Raw = ABSENT


class PartAdded(ItemEvent, tag="response.content_part.added"):
    content_index: int = 0
    part: Raw = ABSENT


class PartDone(ItemEvent, tag="response.content_part.done"):
    content_index: int = 0
    part: Raw = ABSENT


class TextFragment(ItemEvent, tag="response.output_text.delta"):
    delta: str = ""
    content_index: int = 0
    logprobs: Raw = ABSENT


class TextDone(ItemEvent, tag="response.output_text.done"):
    text: str = ""
    content_index: int = 0
    logprobs: Raw = ABSENT


class RefusalFragment(ItemEvent, tag="response.refusal.delta"):
    delta: str = ""
    content_index: int = 0


class RefusalDone(ItemEvent, tag="response.refusal.done"):
    refusal: str = ""
    content_index: int = 0


class AnnotationAdded(ItemEvent, tag="response.output_text.annotation.added"):
    annotation: Raw = ABSENT
    annotation_index: int = 0
    content_index: int = 0


class ArgumentsFragment(ItemEvent, tag="response.function_call_arguments.delta"):
    delta: str = ""


class ArgumentsDone(ItemEvent, tag="response.function_call_arguments.done"):
    arguments: str = ""
    name: str | None = None


class InputFragment(ItemEvent, tag="response.custom_tool_call_input.delta"):
    delta: str = ""


class InputDone(ItemEvent, tag="response.custom_tool_call_input.done"):
    input: str = ""


class SummaryPartAdded(ItemEvent, tag="response.reasoning_summary_part.added"):
    summary_index: int = 0
    part: Raw = ABSENT


class SummaryPartDone(ItemEvent, tag="response.reasoning_summary_part.done"):
    summary_index: int = 0
    part: Raw = ABSENT
    status: str | None = None


class SummaryFragment(ItemEvent, tag="response.reasoning_summary_text.delta"):
    delta: str = ""
    summary_index: int = 0


class SummaryDone(ItemEvent, tag="response.reasoning_summary_text.done"):
    text: str = ""
    summary_index: int = 0


class ReasoningFragment(ItemEvent, tag="response.reasoning_text.delta"):
    delta: str = ""
    content_index: int = 0


class ReasoningDone(ItemEvent, tag="response.reasoning_text.done"):
    text: str = ""
    content_index: int = 0


Starting: TypeAlias = Created | InProgress | Queued
Ending: TypeAlias = Completed | Incomplete | Failed | Cancelled
AnyEvent: TypeAlias = (
    TextFragment
    | ArgumentsFragment
    | InputFragment
    | SummaryFragment
    | ReasoningFragment
    | RefusalFragment
    | Starting
    | Ending
    | Error
    | KeepAlive
    | ItemAdded
    | ItemDone
    | PartAdded
    | PartDone
    | TextDone
    | RefusalDone
    | AnnotationAdded
    | ArgumentsDone
    | InputDone
    | SummaryPartAdded
    | SummaryPartDone
    | SummaryDone
    | ReasoningDone
)

PROGRESS: Final = (
    "response.web_search_call.",
    "response.file_search_call.",
    "response.code_interpreter_call",
    "response.image_generation_call.",
    "response.mcp_call",
    "response.mcp_list_tools.",
    "response.shell_call",
    "response.apply_patch_call",
    "response.compaction.",
)
"""How the events begin that tell how far the vendor's own tools are. Their items follow, whole."""
