"""Everything that the README shows is run: against the real `tgw`, in a home of its own, with scripted upstreams.

Ports and keys are replaced as `user` says. The commands that install the project are run by `tests/packaging`.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from importlib.metadata import entry_points

import pytest

from tests.docs.blocks import README, Block, blocks, inline_code, prose
from tests.docs.user import User
from tests.fakes import replies
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Usage
from tokligence.cli.main import COMMANDS, main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the README's commands are for a POSIX shell")

INSTALL = "pip install . && tgw start\n"
TEST = "pip install '.[test]' && pytest\n"
FOLLOW = "tgw logs -f | grep translation"

SHELL = [b for b in blocks(README, "bash") if b.text not in (INSTALL, TEST) and FOLLOW not in b.text]

SHOWS = {
    "curl": '"content":"Hello!"',
    "tgw status": "is running",
    "tgw models": "gpt-4o",
    "tgw usage": "loopback",
    "sqlite3": "|loopback|",
    "lsof": "LISTEN",
    "tgw logs": "started",
    "tgw config list": "model_provider_routes",
}
"""What the output of a block has in it, by a command that stands there."""


def snippet(sdk: str) -> str:
    return next(b.text for b in blocks(README, "python") if b.text.startswith(f"from {sdk} "))


def usage_rows(user: User) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(user.shell("tgw usage -n 10 --json"))
    return rows


def test_it_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 200


def test_its_two_commands_are_the_install_command_and_the_test_command() -> None:
    texts = [b.text for b in blocks(README, "bash")]
    assert texts.count(INSTALL) == 1
    assert texts.count(TEST) == 1


@pytest.mark.parametrize("block", SHELL, ids=lambda b: b.name)
def test_a_shell_block_runs_and_shows_what_it_should(
    block: Block, request: pytest.FixtureRequest, user: User
) -> None:
    if "tgw start" not in block.text:
        request.getfixturevalue("gateway")
    said = user.shell(block.text)
    for command, shown in SHOWS.items():
        if command in block.text:
            assert shown in said


def test_openais_sdk_gets_an_answer_of_a_claude_model(gateway: User, anthropic_upstream: Anthropic) -> None:
    anthropic_upstream.script(replies.text("Good ", "day.", usage=Usage(input=11, output=7)))
    said = gateway.python(snippet("openai") + "print(response.choices[0].message.content)")
    assert said == "Good day.\n"
    assert anthropic_upstream.last.json["model"] == "claude-sonnet-4-5-20250929"
    row = usage_rows(gateway)[0]
    assert (row["model_served"], row["provider"]) == ("claude-sonnet-4-5-20250929", "anthropic")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (11, 7, "exact")
    assert row["cost_microusd"] == 11 * 3 + 7 * 15  # USD 3 and 15 a million


def test_anthropics_sdk_gets_an_answer_of_a_gpt_model(gateway: User, openai_upstream: OpenAI) -> None:
    openai_upstream.script(replies.text("Good ", "day.", usage=Usage(input=11, output=7)))
    said = gateway.python(snippet("anthropic") + "print(response.content[0].text)")
    assert said == "Good day.\n"
    assert openai_upstream.last.json["model"] == "gpt-4"
    row = usage_rows(gateway)[0]
    assert (row["model_served"], row["provider"]) == ("gpt-4", "openai")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (11, 7, "exact")
    assert row["cost_microusd"] == 11 * 30 + 7 * 60  # USD 30 and 60 a million


def test_the_sdks_find_the_gateway_by_the_variables(gateway: User) -> None:
    exports = next(b.text for b in SHELL if "export OPENAI_BASE_URL" in b.text)
    asking = (
        "from openai import OpenAI; from anthropic import Anthropic\n"
        "say = [{'role': 'user', 'content': 'Hello!'}]\n"
        "openai, anthropic = OpenAI(api_key='any-key'), Anthropic(api_key='any-key')\n"
        "print(openai.chat.completions.create(model='loopback', messages=say).choices[0].message.content)\n"
        "print(anthropic.messages.create(model='loopback', messages=say, max_tokens=9).content[0].text)\n"
    )
    assert gateway.shell(f'{exports}python -c "{asking}"') == "Hello!\nHello!\n"


def test_keys_are_found_in_the_vendors_own_variables(user: User, openai_upstream: OpenAI) -> None:
    assert "`OPENAI_API_KEY`" in README.read_text("utf-8")
    user.environ["OPENAI_API_KEY"] = openai_upstream.key
    user.shell("tgw start --daemon")
    assert re.search(r"openai +configured", user.shell("tgw status"))


def test_the_port_that_is_set_is_the_one_that_is_served(user: User) -> None:
    block = next(b for b in SHELL if "config set port 3000 && tgw start --daemon" in b.text)
    user.shell(block.text)
    assert f"http://localhost:{user.other_port}" in user.shell("tgw status")
    assert f"port={user.other_port}" in user.shell("tgw logs")
    assert "Stopped" in user.shell("tgw stop")
    user.shell("tgw status", code=3)


@pytest.mark.parametrize("block", blocks(README, "ini"), ids=lambda b: b.name)
def test_a_file_that_is_shown_is_valid_where_it_says(block: Block, user: User) -> None:
    match = re.match(r"# In ~/(\S+)\n", block.text)
    assert match, "its first line says where it stands"
    file = user.home / match[1]
    file.parent.mkdir(parents=True)
    file.write_text(block.text, "utf-8")
    assert str(file) in user.shell("tgw config list")


def test_the_routes_that_are_shown_lead_to_claude(user: User, anthropic_upstream: Anthropic) -> None:
    (routes,) = (b for b in blocks(README, "ini") if "model_provider_routes" in b.text)
    file = user.home / ".tokligence/config/dev/gateway.ini"
    file.parent.mkdir()
    file.write_text(routes.text, "utf-8")
    user.environ |= user.keys
    user.shell("tgw start --daemon")
    said = user.python(snippet("anthropic") + "print(response.content[0].text)")
    assert said == "You said: Hello!\n"
    assert "sonnet" in anthropic_upstream.last.json["model"]
    assert "haiku" in user.shell("tgw routes explain gpt-3.5-turbo")


def test_with_a_local_endpoint_no_vendor_is_called(user: User, compatible_upstream: OpenAI) -> None:
    block = next(b for b in SHELL if "TOKLIGENCE_LLM_ENDPOINT" in b.text)
    user.environ["OPENAI_API_KEY"] = "sk-a-key-that-is-ignored"
    user.shell(block.text)
    said = user.python(snippet("openai") + "print(response.choices[0].message.content)")
    assert said == "You said: Hello!\n"
    assert compatible_upstream.last.json["model"] == "claude-sonnet-4-5-20250929"
    assert "local_only is on" in user.shell("tgw status")


def test_the_log_that_is_followed_shows_translations(gateway: User, anthropic_upstream: Anthropic) -> None:
    block = next(b for b in blocks(README, "bash") if FOLLOW in b.text)
    # A terminal would get each line at once; into a pipe grep must be told.
    text = gateway.adapted(block.text).replace("grep ", "grep --line-buffered ")
    shell = subprocess.Popen(
        ["bash", "-e", "-c", text],
        env=gateway.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    assert shell.stdout is not None
    reader = threading.Thread(target=lambda out: [lines.put(line) for line in out], args=(shell.stdout,))
    reader.start()
    try:
        while "In effect" not in lines.get(timeout=30):
            pass
        gateway.python(snippet("openai"))
        line = lines.get(timeout=30)
        assert "translation" in line
        assert "claude-sonnet-4-5-20250929" in line
        assert "Hello" not in line
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait()
        reader.join()
        shell.stdout.close()


NOT_ALONE = ("tgw start", "tgw config set", "tgw run codex --model claude-sonnet-4-5-20250929")
"""One would not end, one wants words, one an installed agent; other tests run them."""


def test_every_command_that_is_named_works(gateway: User) -> None:
    """In the README's order, in one home."""
    named = [c for c in inline_code(README) if c.startswith("tgw ") and "COMMAND" not in c]
    script = "\n".join(command for command in named if command not in NOT_ALONE)
    said = gateway.shell(script)
    assert "gpt-4 is served by openai" in said
    assert "anthropic" in said
    assert gateway.shell("tokligence --version") == gateway.shell("tgw --version")


def test_the_table_of_commands_has_every_command_and_only_real_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = re.findall(r"^\| `tgw (.*) \|$", prose(README), re.MULTILINE)
    named = {row: re.findall(r"(?:^|`tgw )([a-z]+)", row) for row in rows}
    assert {command for commands in named.values() for command in commands} == set(COMMANDS)
    for row, commands in named.items():
        for command in commands:
            assert main([command, "--help"]) == 0
        help_text = capsys.readouterr().out + "--version"
        assert [o for o in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row) if o not in help_text] == []


def test_both_names_of_the_command_are_installed() -> None:
    scripts = {e.name: e.value for e in entry_points(group="console_scripts") if "tokligence" in e.value}
    assert scripts == {"tgw": "tokligence.cli.main:main", "tokligence": "tokligence.cli.main:main"}
