"""The README's first command, run literally: a fresh environment, a fresh copy of the project, a home of its own."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tokligence
from tests.docs.blocks import README, blocks
from tests.docs.user import FOREIGN, PATIENCE
from tests.fakes.anthropic import Anthropic
from tests.fakes.openai import OpenAI
from tests.packaging.conftest import ROOT, fresh_environment
from tests.packaging.pip import PATIENCE as INSTALL_PATIENCE
from tests.packaging.pip import Pip
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("install")

INSTALL = "pip install . && tgw start"
LARGEST = 30 * 10**6
"""Bytes of the installed base, dependencies included."""


class Installed:
    """A gateway in a fresh environment, serving in the foreground, as the README's command started it."""

    def __init__(self, copy: Path, where: Path, more: dict[str, str]) -> None:
        self.python = fresh_environment(where / "venv")
        self.before = self.packages()
        self.port = free_port()
        home = where / "home"
        settings = home / ".tokligence" / "config" / "settings.ini"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"port = {self.port}\n", "utf-8")  # 8081 may be taken where tests run
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        path = os.pathsep.join([str(self.python.parent), inherited["PATH"]])
        self.environ = (
            inherited
            | more
            | {"PATH": path, "HOME": str(home), "USERPROFILE": str(home), "PYTHONUNBUFFERED": "1"}
        )
        self.environ.pop("PYTHONPATH", None)
        self.output: list[str] = []
        self._process = subprocess.Popen(
            INSTALL,
            shell=True,
            cwd=copy,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def wait_until_it_serves(self) -> None:
        """Reads what the command prints up to the end of the gateway's greeting."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if "Ctrl-C" in line:
                return
        raise AssertionError("".join(self.output))

    def packages(self) -> set[Path]:
        """The files that are installed."""
        (site,) = (self.python.parents[1]).glob("[Ll]ib/**/site-packages")
        return {file for file in site.rglob("*") if file.is_file() and "__pycache__" not in file.parts}

    def tgw(self, *words: str) -> str:
        command = [str(self.python.with_name("tgw")), *words]
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> int:
        self.tgw("stop")
        assert self._process.stdout is not None
        self.output += self._process.stdout.readlines()
        self._process.stdout.close()
        return self._process.wait(PATIENCE)

    def end(self) -> None:
        """Whatever happened before."""
        if self._process.poll() is None:
            self.stop()


@pytest.fixture(scope="module")
def installed(
    pip: Pip, copy: Path, openai_server: OpenAI, anthropic_server: Anthropic, tmp_path_factory: Any
) -> Iterator[Installed]:
    upstreams = {
        "TOKLIGENCE_OPENAI_BASE_URL": openai_server.base_url,
        "TOKLIGENCE_OPENAI_API_KEY": openai_server.key,
        "TOKLIGENCE_ANTHROPIC_BASE_URL": anthropic_server.base_url,
        "TOKLIGENCE_ANTHROPIC_API_KEY": anthropic_server.key,
    }
    found = Installed(copy, tmp_path_factory.mktemp("installed"), upstreams)
    found.wait_until_it_serves()
    yield found
    found.end()


@pytest.fixture(scope="module")
def wheel(pip: Pip, copy: Path, tmp_path_factory: Any) -> zipfile.ZipFile:
    where = tmp_path_factory.mktemp("wheel")
    pip.run("wheel", "--quiet", "--no-deps", "--wheel-dir", str(where), ".", cwd=copy)
    (file,) = where.glob("*.whl")
    return zipfile.ZipFile(file)


def ask(port: int, model: str) -> dict[str, Any]:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}]}).encode()
    url = f"http://localhost:{port}/v1/chat/completions"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    # No proxy of this machine leads to a port of this machine.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        request, timeout=PATIENCE
    ) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_the_command_is_the_readmes() -> None:
    assert f"{INSTALL}\n" in [block.text for block in blocks(README, "bash")]


@pytest.mark.timeout(INSTALL_PATIENCE)
def test_a_fresh_installation_serves_at_once_and_says_where(installed: Installed) -> None:
    said = "".join(installed.output)
    assert f"base_url = http://localhost:{installed.port}/v1" in said
    assert f"base_url = http://localhost:{installed.port}/anthropic" in said
    answer = ask(installed.port, "loopback")
    assert answer["choices"][0]["message"]["content"] == "Hello!"


@pytest.mark.timeout(INSTALL_PATIENCE)
def test_the_readmes_snippets_run_against_a_fresh_installation(
    installed: Installed, openai_upstream: OpenAI, anthropic_upstream: Anthropic
) -> None:
    for block in blocks(README, "python"):
        text = block.text.replace("localhost:8081", f"localhost:{installed.port}")
        done = subprocess.run(
            [sys.executable, "-c", text + "print(response.model_dump_json())"],
            env={n: v for n, v in os.environ.items() if not n.lower().endswith("_proxy")},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "You said: Hello!" in done.stdout, done.stderr
    assert openai_upstream.last.json["model"] == "gpt-4"
    assert anthropic_upstream.last.json["model"] == "claude-sonnet-4-5-20250929"
    models = {row["model"] for row in json.loads(installed.tgw("usage", "--json"))}
    assert {"gpt-4", "claude-sonnet-4-5-20250929"} <= models


@pytest.mark.timeout(INSTALL_PATIENCE)
def test_an_installation_is_small(installed: Installed) -> None:
    size = sum(file.stat().st_size for file in installed.packages() - installed.before)
    assert size <= LARGEST


@pytest.mark.timeout(INSTALL_PATIENCE)
def test_a_fresh_installation_stops_cleanly(installed: Installed) -> None:
    """The last of its tests."""
    assert installed.tgw("--version") == f"tgw {tokligence.__version__}\n"
    assert installed.stop() == 0
    assert "Traceback" not in "".join(installed.output)


@pytest.mark.timeout(INSTALL_PATIENCE)
def test_the_wheel_has_the_package_its_type_marker_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "tokligence/py.typed" in names
    info = f"tokligence-{tokligence.__version__}.dist-info/"
    assert [name for name in names if not name.startswith(("tokligence/", info))] == []
    assert [name for name in names if "test" in name or name.endswith(".pyc")] == []
    sources = {p.relative_to(ROOT / "src").as_posix() for p in (ROOT / "src").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} <= sources
    assert f"{info}licenses/LICENSE" in names


@pytest.mark.timeout(INSTALL_PATIENCE)
def test_the_wheel_has_both_commands(wheel: zipfile.ZipFile) -> None:
    info = f"tokligence-{tokligence.__version__}.dist-info"
    points = configparser.ConfigParser()
    points.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    main = "tokligence.cli.main:main"
    assert dict(points["console_scripts"]) == {"tgw": main, "tokligence": main}


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/tokligence/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", tokligence.__version__)
    holders = [
        p for p in (ROOT / "src").rglob("*.py") if f'"{tokligence.__version__}"' in p.read_text("utf-8")
    ]
    assert holders == [ROOT / "src" / "tokligence" / "__init__.py"]


@pytest.mark.timeout(INSTALL_PATIENCE)
def test_what_the_tests_need_can_be_installed(pip: Pip, copy: Path) -> None:
    names = {
        entry["metadata"]["name"].lower() for entry in pip.resolve("--ignore-installed", ".[test]", cwd=copy)
    }
    assert {"tokligence", "pytest", "openai", "anthropic"} <= names
