"""Scripted upstreams: strict servers over real sockets that stand in for the vendors.

They validate every request against the vendor's SDK types and rules, record it, and answer as told: text, tools in
parallel, thinking, errors, faults at any byte. A broken rule fails the test. `python -m tests.fakes` starts them by
hand. Start reading at `scripted.py`, `replies.py` has the words for scripts, `server.py` what the wire can do.
"""
