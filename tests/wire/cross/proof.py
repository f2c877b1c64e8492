"""Which golden exchanges prove which rows of the matrix, and the document that is made of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from tests.wire.cross.harness import CHAT, GEMINI, GOLDENS, MESSAGES, Golden
from tests.wire.cross.leaves import Path, explained, leaves
from tokligence.conversation import Loss, LossReason, ProtocolId, Severity
from tokligence.wire.matrix import ANYWHERE, MATRIX, WORDS, Fate, LossKind, Row, Section

REQUESTS = (Section.REQUEST, Section.MESSAGE, Section.TOOLS)
ANSWERS = (Section.ANSWER, Section.USAGE)
STREAM = (Section.STREAM,)

Step = tuple[str, str]
"""A field's name, and the kind of its element or object ("" if it has none)."""


Pair = tuple[ProtocolId, ProtocolId]
"""Protocol that says it, protocol in which it is said."""

PAIRS: Final = tuple(dict.fromkeys((source, target) for source, target, _ in MATRIX))


def rows(pair: Pair, sections: Iterable[Section]) -> list[Row]:
    return [row for section in sections for row in MATRIX[(*pair, section)]]


# --- paths ----------------------------------------------------------------------------------------------


def steps_of(body: Any, path: Path) -> list[Step]:
    """A leaf's path with the kinds of what it passes."""
    steps: list[Step] = []
    value = body
    for key in path:
        value = value[key]
        kind = str(value.get("role") or value.get("type") or "") if isinstance(value, dict) else ""
        if isinstance(key, int):
            steps[-1] = (steps[-1][0], kind)
            if key > 0 and steps[-1][0] in ("choices", "candidates"):
                return [(steps[-1][0], "further")]
        else:
            steps.append((key, kind))
    return steps


@cache
def pattern(path: str) -> tuple[bool, tuple[tuple[str, str | None], ...]]:
    """Whether the path may begin anywhere, and its steps; kind None: any."""
    anywhere = path.startswith(("…", "content["))
    steps = [
        re.fullmatch(r"([^\[]+)(?:\[(.*)\])?", step)
        for step in re.split(r"\.(?![^\[]*\])", path.lstrip("….").replace("….", ""))
    ]
    return anywhere, tuple((found[1], found[2] or None) for found in steps if found)


NOT: Final = (0, False, 0)


def match(row: Row, steps: list[Step]) -> tuple[int, bool, int]:
    """How far the row reaches along the path and how exactly; `NOT`: not at all."""
    anywhere, wanted = pattern(row.path)
    starts = range(len(steps) - len(wanted), -1, -1) if anywhere else range(1)
    for start in starts:
        part = steps[start : start + len(wanted)]
        if len(part) == len(wanted) and all(
            name == want and (kind is None or kind == has)
            for (want, kind), (name, has) in zip(wanted, part, strict=True)
        ):
            kinds = [kind is not None for _, kind in wanted]
            return start + len(wanted), kinds[-1], sum(kinds)
    return NOT


def row_of(choices: list[Row], steps: list[Step]) -> Row | None:
    """The row that says most exactly what becomes of a leaf."""
    best = max(choices, key=lambda row: match(row, steps))
    return best if match(best, steps) > NOT else None


# --- proof ----------------------------------------------------------------------------------------------


@dataclass
class Proof:
    """Of one row: the goldens that have it and where it went as it says, and the losses seen of it."""

    goldens: list[str] = field(default_factory=list)
    losses: dict[LossKind, list[str]] = field(default_factory=dict)
    occurs: list[str] = field(default_factory=list)


Proofs = dict[tuple[Pair, tuple[Section, ...], str], Proof]


def kind_of(shown: str) -> tuple[Loss, LossKind]:
    path, reason, severity = shown.rsplit(" ", 2)
    loss = Loss(path, LossReason(reason), Severity(severity))
    return loss, (loss.reason, loss.severity)


def prove(pair: Pair, golden: Golden, sections: tuple[Section, ...], proofs: Proofs) -> list[str]:
    """Adds what a golden proves; gives the losses that no row foresees."""
    asked = sections is REQUESTS
    body = golden.data["request" if asked else "upstream_answer"]
    out = golden.data["upstream_request" if asked else "answer"]
    losses = [kind_of(each) for each in golden.data["request_losses" if asked else "answer_losses"]]
    choices = rows(pair, sections)
    said = [(steps_of(out, path), value) for path, value in leaves(out)]
    seen: set[int] = set()
    for path, value in leaves(body):
        row = row_of(choices, steps_of(body, path))
        seen |= {n for n, (loss, kind) in enumerate(losses) if kind in NEW and names(loss, path, asked=asked)}
        if row is None or value is None:
            continue
        proof = proofs.setdefault((pair, sections, row.path), Proof())
        note(proof.occurs, golden.name)
        for number, (loss, kind) in enumerate(losses):
            if names(loss, path, asked=asked) and kind in row.losses:
                seen.add(number)
                note(proof.losses.setdefault(kind, []), golden.name)
                if row.fate is Fate.LOST:
                    note(proof.goldens, golden.name)
        if row.fate is not Fate.LOST and went(row, value, said):
            note(proof.goldens, golden.name)
    made_up = ("tools", "tool_choice", "messages[0]")  # mended where the request has nothing
    return [
        golden.data["request_losses" if asked else "answer_losses"][number]
        for number, (loss, _) in enumerate(losses)
        if number not in seen and loss.path not in made_up and not loss.path.endswith(".is_error")
    ]


NEW: Final = {kind for row in ANYWHERE for kind in row.losses}


CALLED: Final = {
    "audio_tokens": {"promptTokensDetails", "candidatesTokensDetails"},
    "cache_write_tokens": {"cache_creation_input_tokens", "cache_creation"},
    "stop_reason": {"finishReason"},
}
"""What an answer's fields are called by the protocols that have other words."""


def names(loss: Loss, path: Path, *, asked: bool) -> bool:
    """In answers, fields of choice and message are named without the way to them."""
    if explained(path, [loss]):
        return True
    name = loss.path.split(".")[-1]
    return not asked and (
        name in path
        or bool(set(path) & CALLED.get(name, set()))
        or (loss.path.startswith("content[") and ("message" in path or "parts" in path))
    )


def went(row: Row, value: Any, said: list[tuple[list[Step], Any]]) -> bool:
    """Whether the value, or something, stands where the row says."""
    if not row.target:
        return True
    goal = Row(row.target, row.fate)
    there = [found for steps, found in said if match(goal, steps) > NOT]
    if row.fate is Fate.CONVERTED:
        return bool(there)
    return any(
        found == value or (isinstance(value, str) and isinstance(found, str) and value in found)
        for found in there
    )


def note(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


@cache
def proven() -> tuple[Proofs, list[str]]:
    """What all goldens prove, and the losses that no row foresees."""
    proofs: Proofs = {}
    unforeseen: list[str] = []
    for golden in GOLDENS:
        there, back = (golden.client, golden.upstream), (golden.upstream, golden.client)
        unforeseen += [f"{golden.name}: {loss}" for loss in prove(there, golden, REQUESTS, proofs)]
        if golden.answers:
            unforeseen += [f"{golden.name}: {loss}" for loss in prove(back, golden, ANSWERS, proofs)]
    for golden in GOLDENS:
        if golden.upstream_sse.exists():
            prove_stream(golden, proofs)
    return proofs, unforeseen


def prove_stream(golden: Golden, proofs: Proofs) -> None:
    raw, out = golden.upstream_sse.read_text("utf-8"), golden.client_sse.read_text("utf-8")
    told = set(said_in(golden.client, out))
    pair = (golden.upstream, golden.client)
    for row in MATRIX[(*pair, Section.STREAM)]:
        if any(fits(row.path, word) for word in said_in(golden.upstream, raw)):
            proof = proofs.setdefault((pair, STREAM, row.path), Proof())
            note(proof.occurs, golden.name)
            if row.fate is Fate.LOST:
                kinds = [
                    kind_of(each)[1]
                    for each in re.findall(r"[\w\[\].]+ [a-z_]+ (?:semantic|cosmetic)", out.split("\n")[0])
                ]
                if set(row.losses) & set(kinds):
                    note(proof.goldens, golden.name)
            elif not row.target or any(fits(row.target, word) for word in told):
                note(proof.goldens, golden.name)


def said_in(protocol: ProtocolId, sse: str) -> Iterator[str]:
    for data in re.findall(r"^data: (.*)$", sse, re.MULTILINE):
        if data == "[DONE]":
            yield data
            continue
        event = json.loads(data)
        if protocol is GEMINI:
            yield from said_in_chunk(event)
            continue
        if protocol is MESSAGES:
            inner = event.get("content_block") or event.get("delta") or {}
            yield event["type"] + (f"[{inner['type']}]" if "type" in inner else "")
            continue
        yield from (name for name in ("usage", "error") if event.get(name))
        for choice in event.get("choices", ()):
            yield from (f"delta.{name}" for name, value in choice["delta"].items() if value is not None)
            if choice["finish_reason"]:
                yield "finish_reason"


def said_in_chunk(chunk: Any) -> Iterator[str]:
    yield from (name for name in ("usageMetadata", "promptFeedback", "error") if name in chunk)
    for candidate in chunk.get("candidates", ()):
        yield from ("finishReason" for _ in range("finishReason" in candidate))
        for part in candidate.get("content", {}).get("parts", ()):
            names = [name for name in ("thoughtSignature", "functionCall") if name in part]
            if part.get("text"):
                names.append("thought" if part.get("thought") else "text")
            yield from names or [f"part[{next(iter(part))}]"]


USUAL = re.compile(r"text|thinking|redacted_thinking|tool_use")


def fits(path: str, word: str) -> bool:
    if path.endswith("[]"):  # a block of another kind
        kind = re.fullmatch(re.escape(path[:-2]) + r"\[(.*)\]", word)
        return kind is not None and USUAL.fullmatch(kind[1]) is None
    return word == path


# --- the document ---------------------------------------------------------------------------------------

HEAD = """\
# Translation between protocols

<!-- Made of `tokligence.wire.matrix` and the golden exchanges in tests/wire/cross by
`pytest tests/wire/cross --update-golden`; do not edit. -->

A request or an answer that stays within its protocol passes byte for byte. This is what becomes of each thing when a
client speaks one protocol and the model's vendor another.

- **kept**: said in the same way. **converted**: said in another. **lost**: not said.
- A loss in the column *may lose* is recorded when it happens: in the header `x-tokligence-loss`, in the log, in a
  metric and in `usage_log`. A *semantic* loss may change the model's answer: with `translation_losses=strict`, or the
  request header `x-tokligence-strict: 1`, a request that has one is refused. A *cosmetic* one cannot.
- `[kind]` is an element or object of that kind, `[]` any; `content[kind]` a part wherever it stands; `…name` a field
  wherever it stands. A row holds for all below its path that has no row of its own.
- Each row is proven by the exchanges named in its last column (at most three are named), in
  `tests/wire/cross/goldens/`; *property* means that a test says each field in turn.
"""

NAMES = {CHAT: "Chat", MESSAGES: "Messages", GEMINI: "Gemini"}


def document() -> str:
    parts = [HEAD]
    for source, target in PAIRS:
        between = f"{NAMES[source]} → {NAMES[target]}"
        for sections, title in ((REQUESTS, "Requests"), ((*ANSWERS, *STREAM), "Answers")):
            parts.append(f"\n## {title}: {between}\n")
            for section in sections:
                parts += table((source, target), section)
    parts.append("\n## What is new to the gateway\n\n| what | fate | recorded as |\n|---|---|---|\n")
    parts += [f"| {row.path.strip('()')} | {row.fate} | {may_lose(row)} |\n" for row in ANYWHERE]
    parts.append("\n## Words\n")
    for (source, target, what), words in WORDS.items():
        parts.append(
            f"\n### {what}: {NAMES[source]} → {NAMES[target]}\n\n| word | becomes | may lose |\n|---|---|---|\n"
        )
        parts += [f"| `{row.path}` | {code(row.target) or 'lost'} | {may_lose(row)} |\n" for row in words]
    return "".join(parts)


def proof_of(pair: Pair, section: Section, row: Row) -> Proof:
    sections = next(each for each in (REQUESTS, ANSWERS, STREAM) if section in each)
    return proven()[0].get((pair, sections, row.path), Proof())


def table(pair: Pair, section: Section) -> Iterator[str]:
    source, target = NAMES[pair[0]], NAMES[pair[1]]
    yield f"\n### {section.value}\n\n"
    yield f"| {source} | fate | {target} | how | may lose | proven by |\n|---|---|---|---|---|---|\n"
    for row in MATRIX[(*pair, section)]:
        named = sorted(proof_of(pair, section, row).goldens, key=size)[:3]
        proof = ", ".join(named) or "*property*"
        cells = (code(row.path), row.fate.value, code(row.target), row.how, may_lose(row), proof)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


@cache
def size(name: str) -> tuple[int, str]:
    """The least exchange shows most clearly."""
    data = next(golden.data for golden in GOLDENS if golden.name == name)
    return len(json.dumps(data)), name


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def may_lose(row: Row) -> str:
    return ", ".join(f"{reason.value} ({severity.value})" for reason, severity in row.losses)
