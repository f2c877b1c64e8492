"""Responses and conversations that are kept for their owners: bounded in time and bytes. Pure; `now`: Unix seconds.

An owner sees his own only: the id of another's is unknown to him. What leaves by age or for room is gone whole, yet
a chain that still stands on it goes on: each response holds the items it was made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tokligence.pipeline.responses.items import Item

LIFETIME_S: Final = 24 * 3600
CAPACITY_BYTES: Final = 256 * 1024 * 1024
OVERHEAD_BYTES: Final = 512
"""What an entry costs beside its JSON."""

Owner = str | None
"""Name of the client key; None while auth is off."""


class StoredResponse(Struct, frozen=True):
    """`input`: the items of its own request; `history`: those that came before; `output`: what was answered.
    `events`: its stream, each event as it was sent, if it ran in the background as one."""

    id: str
    owner: Owner
    created: int
    response: bytes
    input: tuple[Item, ...] = ()
    history: tuple[Item, ...] = ()
    output: tuple[Item, ...] = ()
    events: tuple[bytes, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """What a request that follows it begins with."""
        return (*self.history, *self.input, *self.output)

    @property
    def size(self) -> int:
        return (
            OVERHEAD_BYTES
            + len(self.response)
            + sum([len(item.raw) for item in (*self.input, *self.output)])
            + sum(map(len, self.events))
        )

    def known_items(self) -> tuple[Item, ...]:
        return (*self.input, *self.output)


class Conversation(Struct, frozen=True):
    """`metadata`: raw JSON object."""

    id: str
    owner: Owner
    created: int
    metadata: bytes = b"{}"
    items: tuple[Item, ...] = ()

    @property
    def size(self) -> int:
        return OVERHEAD_BYTES + len(self.metadata) + sum([len(item.raw) for item in self.items])

    def known_items(self) -> tuple[Item, ...]:
        return self.items

    def with_items(self, items: Sequence[Item]) -> Conversation:
        return replace(self, items=(*self.items, *items))


Entry = StoredResponse | Conversation


class Store:
    """All that is kept. Entries leave oldest first; an entry that is put again counts as new."""

    def __init__(self, capacity: int = CAPACITY_BYTES, lifetime: int = LIFETIME_S) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self._entries: dict[tuple[Owner, str], tuple[int, Entry]] = {}
        self._items: dict[tuple[Owner, str], Item] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry, now: int) -> None:
        self.remove(entry.owner, entry.id)
        self._entries[entry.owner, entry.id] = (now, entry)
        self.size += entry.size
        for item in entry.known_items():
            self._items[entry.owner, item.id] = item
        self._make_room(now)

    def response(self, owner: Owner, name: str, now: int) -> StoredResponse | None:
        entry = self._get(owner, name, now)
        return entry if isinstance(entry, StoredResponse) else None

    def conversation(self, owner: Owner, name: str, now: int) -> Conversation | None:
        entry = self._get(owner, name, now)
        return entry if isinstance(entry, Conversation) else None

    def item(self, owner: Owner, name: str) -> Item | None:
        """An item of any entry of the owner's."""
        return self._items.get((owner, name))

    def remove(self, owner: Owner, name: str) -> bool:
        """Whether it was there."""
        found = self._entries.pop((owner, name), None)
        if found is None:
            return False
        entry = found[1]
        self.size -= entry.size
        for item in entry.known_items():
            self._items.pop((owner, item.id), None)
        return True

    def _get(self, owner: Owner, name: str, now: int) -> Entry | None:
        found = self._entries.get((owner, name))
        if found is None:
            return None
        if found[0] + self._lifetime <= now:
            self.remove(owner, name)
            return None
        return found[1]

    def _make_room(self, now: int) -> None:
        while self._entries:
            (owner, name), (put_at, _) = next(iter(self._entries.items()))
            if self.size <= self._capacity and put_at + self._lifetime > now:
                return
            self.remove(owner, name)
