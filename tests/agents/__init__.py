"""Real coding agents, headless, each on a task with several rounds of tools, through the gateway to another vendor.

The direct connection is the measure: one script of what the model says and does is asked directly, in the agent's own
protocol, and through the gateway in every other; turns, calls, arguments, results and final files must be equal. Start
reading at `task.py` (what the model does), `brain.py` (how an upstream comes to say it), `agents.py` (who asks).

The agents come from npm and PyPI when the tests run, into `TEST_AGENTS_DIR` (default: the user's cache directory).
"""
