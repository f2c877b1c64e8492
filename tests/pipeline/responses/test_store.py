"""The store of responses and conversations."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tokligence.pipeline.responses.items import Item
from tokligence.pipeline.responses.store import OVERHEAD_BYTES, Conversation, Store, StoredResponse


def stored(name: str, owner: str | None = None, size: int = 10) -> StoredResponse:
    return StoredResponse(name, owner, 0, b"x" * size, input=(Item(f"in_{name}", b"{}"),))


def test_a_response_is_its_owners_alone() -> None:
    store = Store()
    store.put(stored("r", "alice"), 0)
    assert store.response("alice", "r", 1) is not None
    assert store.response("bob", "r", 1) is None
    assert store.item("alice", "in_r") is not None
    assert store.item("bob", "in_r") is None
    assert not store.remove("bob", "r")


def test_a_response_leaves_when_its_time_is_over() -> None:
    store = Store(lifetime=100)
    store.put(stored("r"), 0)
    assert store.response(None, "r", 99) is not None
    assert store.response(None, "r", 100) is None
    assert (len(store), store.size, store.item(None, "in_r")) == (0, 0, None)


def test_the_oldest_leave_for_room_and_a_chain_on_them_still_stands() -> None:
    store = Store(capacity=2 * (OVERHEAD_BYTES + 12))
    first = stored("a")
    store.put(first, 0)
    store.put(StoredResponse("b", None, 1, b"x" * 10, input=(Item("in_b", b"{}"),), history=first.items), 1)
    store.put(stored("c"), 2)
    assert store.response(None, "a", 3) is None
    follower = store.response(None, "b", 3)
    assert follower is not None and [item.id for item in follower.items] == ["in_a", "in_b"]


def test_what_is_larger_than_the_store_is_not_kept() -> None:
    store = Store(capacity=100)
    store.put(stored("a", size=1000), 0)
    assert store.response(None, "a", 0) is None


def test_a_conversation_grows_and_is_no_response() -> None:
    store = Store()
    conversation = Conversation("conv_1", None, 0)
    store.put(conversation, 0)
    store.put(conversation.with_items((Item("m", b"{}"),)), 1)
    found = store.conversation(None, "conv_1", 2)
    assert found is not None and [item.id for item in found.items] == ["m"]
    assert store.response(None, "conv_1", 2) is None
    assert store.conversation(None, "other", 2) is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 400), st.booleans()), max_size=30))
def test_the_size_is_always_that_of_what_is_there(steps: list[tuple[str, int, bool]]) -> None:
    store = Store(capacity=2000)
    for now, (name, size, put) in enumerate(steps):
        if put:
            store.put(stored(name, size=size), now)
        else:
            store.remove(None, name)
        there = [entry for each in "abcd" if (entry := store.response(None, each, now)) is not None]
        assert store.size == sum(entry.size for entry in there) <= 2000
        assert len(store) == len(there)
