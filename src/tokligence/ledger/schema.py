"""The ledger's tables and views in SQLite, as numbered migrations (`PRAGMA user_version`). Data, no behaviour.

A migration that has been released is never edited: the next one changes what it made. The views need nothing
newer than SQLite 3.31 and no function of ours, so that any `sqlite3` can read them.
"""

from __future__ import annotations

from typing import Final

_CALLS: Final = """
CREATE TABLE calls (
    seq INTEGER PRIMARY KEY,  -- order of booking; the clock may jump
    request_id TEXT NOT NULL UNIQUE,
    started_us INTEGER,  -- Unix microseconds, for display
    route TEXT,
    client_protocol TEXT,
    stream INTEGER,
    model_asked TEXT,
    key_name TEXT,
    user TEXT,
    team TEXT,
    upstream_protocol TEXT,
    model_served TEXT,
    provider TEXT,
    deployment TEXT,
    status INTEGER,
    outcome TEXT NOT NULL,
    error_code TEXT,
    attempts INTEGER,
    input_tokens INTEGER,  -- disjoint classes; NULL: unknown
    cache_read_tokens INTEGER,
    cache_write_5m_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    output_tokens INTEGER,
    reasoning_tokens INTEGER,  -- a part of output_tokens
    usage_source TEXT,
    cost_picousd INTEGER,  -- exact; NULL: the price is not known
    price_date TEXT,
    latency_us INTEGER,
    ttft_us INTEGER,
    losses TEXT,
    input_audio_tokens INTEGER,  -- a part of input_tokens
    output_audio_tokens INTEGER,  -- a part of output_tokens
    web_searches INTEGER,
    upstream_request_id TEXT
)
"""

_ATTEMPTS: Final = """
CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    number INTEGER NOT NULL,  -- 1, 2 ... within the call
    started_us INTEGER,
    provider TEXT,
    deployment TEXT,
    upstream_protocol TEXT,
    model_served TEXT,
    status INTEGER,
    outcome TEXT NOT NULL,
    error_code TEXT,
    latency_us INTEGER,
    usage_source TEXT,
    input_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_5m_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    output_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost_picousd INTEGER,
    price_date TEXT,
    upstream_request_id TEXT,
    UNIQUE (request_id, number)
)
"""

# The order is a reverse scan of the primary key: nothing is sorted, so LIMIT is fast on any number of rows.
_USAGE_LOG: Final = """
CREATE VIEW usage_log AS SELECT
    request_id,
    strftime('%Y-%m-%dT%H:%M:%S', started_us / 1000000, 'unixepoch')
        || printf('.%03dZ', started_us / 1000 % 1000) AS started_at,
    route,
    client_protocol,
    upstream_protocol,
    stream,
    model_asked,
    model_served,
    provider,
    deployment,
    key_name,
    user,
    team,
    status,
    outcome,
    error_code,
    attempts,
    input_tokens,
    cache_read_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    output_tokens,
    reasoning_tokens,
    usage_source,
    cost_picousd / 1000000 + (cost_picousd % 1000000 >= 500000) AS cost_microusd,
    price_date,
    latency_us / 1000.0 AS latency_ms,
    ttft_us / 1000.0 AS ttft_ms,
    losses,
    NULL AS firewall_findings,
    'consumed' AS direction
FROM calls ORDER BY seq DESC
"""

_ATTEMPT_LOG: Final = """
CREATE VIEW attempt_log AS SELECT
    request_id,
    number AS attempt,
    strftime('%Y-%m-%dT%H:%M:%S', started_us / 1000000, 'unixepoch')
        || printf('.%03dZ', started_us / 1000 % 1000) AS started_at,
    provider,
    deployment,
    upstream_protocol,
    model_served,
    status,
    outcome,
    error_code,
    input_tokens,
    cache_read_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    output_tokens,
    reasoning_tokens,
    usage_source,
    cost_picousd / 1000000 + (cost_picousd % 1000000 >= 500000) AS cost_microusd,
    price_date,
    latency_us / 1000.0 AS latency_ms,
    upstream_request_id
FROM attempts ORDER BY seq DESC
"""

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = ((_CALLS, _ATTEMPTS, _USAGE_LOG, _ATTEMPT_LOG),)
"""Statements that lead from version n to n + 1, n being the position."""
