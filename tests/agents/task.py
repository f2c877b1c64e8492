"""What the model says and does, in words that no vendor has: the script that every upstream plays.

The same script is asked directly and through the gateway, so it holds what breaks on the way: several rounds, calls in
parallel, arguments with quotes, backslashes, line ends and characters beyond ASCII, a long argument, a long text, an
upstream that fails before it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.fakes.replies import Failure


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Read:
    path: str


@dataclass(frozen=True)
class Write:
    path: str
    content: str


@dataclass(frozen=True)
class Edit:
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Run:
    command: str


Act = Read | Write | Edit | Run


@dataclass(frozen=True)
class Turn:
    """One answer of the model. `saw`: what it must have been shown by then, of the results of its last calls.
    `failures`: what the upstream answers before, one to each attempt. `before`: done when the answer is asked for."""

    parts: tuple[Say | Act, ...]
    saw: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    before: Callable[[], None] | None = None

    @property
    def acts(self) -> bool:
        return any(not isinstance(part, Say) for part in self.parts)


@dataclass(frozen=True)
class Task:
    """`files`: in the directory at first; `after`: those that must be there in the end, with their text."""

    prompt: str
    files: dict[str, str]
    turns: tuple[Turn, ...]
    after: dict[str, str]


BROKEN = """\
def total(prices):
    result = 0
    for price in prices:
        result = price
    return result
"""
LINE = "        result = price\n"
MENDED = '        result += price  # "Σ" of prices: C:\\shop\\prices, ½ €, 東京, 👍\n'
CHECK = """\
from prices import total

print("total:", total([12, 30]))
"""
REPORT = "# Report\n\n" + "".join(
    f'{number}. "{number * 7}" \\ {{"preis": "{number} €"}} — <b>naïve</b> & 東京\t👍\n'
    for number in range(1, 401)
)
FAREWELL = " ".join(
    f"Sentence {number} of the long account: Größe {number}, 数 {number}." for number in range(1, 301)
)

RATE_LIMITED = Failure(429, retry_after="1")
OVERLOADED = Failure(503)

MEND = Task(
    prompt="total() in prices.py is wrong. Mend it, run check.py, and write a report to report.md.",
    files={"prices.py": BROKEN, "check.py": CHECK, "orders.txt": "Żółw 12\nTokyo 30\n"},
    turns=(
        Turn((Say("I read the files first."), Read("prices.py"), Read("orders.txt"))),
        Turn(
            (Say("The sum is overwritten."), Edit("prices.py", LINE, MENDED)),
            saw=("result = price", "Żółw 12"),
            failures=(RATE_LIMITED,),
        ),
        Turn(
            (
                Say("Does it add up now?"),
                Run('python3 check.py && echo "done: $PWD" && printf "%s\\n" "ü \\"x\\""'),
            )
        ),
        Turn(
            (Say("It does."), Write("report.md", REPORT), Run("wc -l prices.py")),
            saw=("total: 42", 'ü "x"'),
            failures=(OVERLOADED,),
        ),
        Turn((Say(FAREWELL),), saw=("5 prices.py",)),
    ),
    after={"prices.py": BROKEN.replace(LINE, MENDED), "report.md": REPORT},
)


def _overloaded(task: Task) -> Task:
    """For an agent that gives up where it is told to ask less often."""

    def softened(turn: Turn) -> Turn:
        return replace(turn, failures=tuple(OVERLOADED for _ in turn.failures))

    return replace(task, turns=tuple(map(softened, task.turns)))


def _one_by_one(task: Task) -> Task:
    """For a model that may only do one thing at a time."""
    turns: list[Turn] = []
    for turn in task.turns:
        says = tuple(part for part in turn.parts if isinstance(part, Say))
        acts = [part for part in turn.parts if not isinstance(part, Say)]
        turns.append(replace(turn, parts=(*says, *acts[:1])))
        turns += [Turn((act,)) for act in acts[1:]]
    return replace(task, turns=tuple(turns))


MEND_OVERLOADED = _overloaded(MEND)
MEND_ONE_BY_ONE = _one_by_one(
    replace(MEND_OVERLOADED, turns=tuple(replace(t, saw=()) for t in MEND_OVERLOADED.turns))
)


def listing(path: str, text: str) -> str:
    """A whole file in an answer, as aider reads it."""
    return f"{path}\n```\n{text}```\n"


STILL_WRONG = BROKEN.replace(LINE, "        result -= price\n")
MENDED_FILE = BROKEN.replace(LINE, MENDED)
ASSERTING = CHECK + "assert total([12, 30]) == 42\n"

MEND_BY_LISTING = Task(
    prompt="total() in prices.py is wrong. Mend it, and write a report to report.md.",
    files={"prices.py": BROKEN, "check.py": ASSERTING},
    turns=(
        Turn((Say(f"I try this.\n\n{listing('prices.py', STILL_WRONG)}"),)),
        Turn(
            (Say(f"{listing('prices.py', MENDED_FILE)}\n{listing('report.md', REPORT)}\n{FAREWELL}"),),
            saw=("total: -42", "AssertionError"),
            failures=(RATE_LIMITED, OVERLOADED),
        ),
    ),
    after={"prices.py": MENDED_FILE, "report.md": REPORT},
)
