"""What a call costs: integers over the disjoint token classes. Pure."""

from __future__ import annotations

from typing import Final

from tokligence.catalog.models import Price, at_length
from tokligence.conversation import Usage

MAX_COST: Final = 2**63 - 1
"""pico-USD: the largest cost the ledger stores (about 9.2 million USD for one call)."""


def price(usage: Usage, price: Price) -> int:
    """The cost of `usage`, pico-USD, exact; at most `MAX_COST`, since a broken upstream may report any number.

    Reasoning and audio tokens are parts of output and input, so they are paid with these and not again. A long prompt
    is billed at the price that holds for its length.
    """
    prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    if price.long is not None:
        price = at_length(price, prompt)
    cost = usage.input * price.input + usage.output * price.output
    if prompt != usage.input:
        cost += (
            usage.cache_read * price.cache_read
            + usage.cache_write_5m * price.cache_write_5m
            + usage.cache_write_1h * price.cache_write_1h
        )
    if usage.web_searches:
        cost += usage.web_searches * price.web_search
    return cost if cost <= MAX_COST else MAX_COST
