"""The base installs from wheels alone on every platform that we name, and from few."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.conftest import ROOT
from tests.packaging.pip import Pip

PYTHON = "3.11"
MOST_PACKAGES = 15


class Machine(NamedTuple):
    """A platform as wheels name it and as markers do (packaging.python.org, dependency specifiers)."""

    tags: tuple[str, ...]
    sys_platform: str
    platform_machine: str


MACHINES = {
    "Linux x64": Machine(("manylinux2014_x86_64", "manylinux_2_28_x86_64"), "linux", "x86_64"),
    "Linux arm64": Machine(("manylinux2014_aarch64", "manylinux_2_28_aarch64"), "linux", "aarch64"),
    "macOS x64": Machine(("macosx_11_0_x86_64",), "darwin", "x86_64"),
    "macOS arm64": Machine(("macosx_11_0_arm64",), "darwin", "arm64"),
    "Windows x64": Machine(("win_amd64",), "win32", "AMD64"),
}


def environment(machine: Machine) -> dict[str, str]:
    system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[machine.sys_platform]
    return {
        "sys_platform": machine.sys_platform,
        "platform_machine": machine.platform_machine,
        "platform_system": system,
        "os_name": "nt" if machine.sys_platform == "win32" else "posix",
        "python_version": PYTHON,
        "python_full_version": f"{PYTHON}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def base_requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return list(project["dependencies"])


def wanted(requirements: list[str], machine: Machine) -> dict[str, str]:
    """Name -> requirement without its marker, of those that hold on `machine`."""
    found = {}
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment(machine)):
            requirement.marker = None
            found[canonicalize_name(requirement.name)] = str(requirement)
    return found


def resolved(pip: Pip, machine: Machine, target: Path) -> dict[str, dict[str, Any]]:
    """Name -> pip's report. What a package needs on `machine` only is added until nothing is missing, since pip
    takes the markers of packages for this machine's."""
    requirements = wanted(base_requirements(), machine)
    while True:
        report = pip.wheels_for(list(requirements.values()), machine.tags, PYTHON, target)
        packages = {canonicalize_name(entry["metadata"]["name"]): entry for entry in report}
        needed: dict[str, str] = {}
        for entry in report:
            needed |= wanted(entry["metadata"].get("requires_dist", []), machine)
        missing = {name: text for name, text in needed.items() if name not in packages}
        if not missing:
            return packages
        requirements |= missing


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_all_base_dependencies_are_wheels(machine: Machine, pip: Pip, tmp_path: Path) -> None:
    packages = resolved(pip, machine, tmp_path)
    urls = [entry["download_info"]["url"] for entry in packages.values()]
    assert [url for url in urls if not url.endswith(".whl")] == []
    assert len(packages) <= MOST_PACKAGES
    assert ("uvloop" in packages) == (machine.sys_platform != "win32")


def test_markers_are_those_of_the_other_machine() -> None:
    requirements = [
        "a; sys_platform == 'win32'",
        "b; platform_machine == 'arm64'",
        "c[x]>=1",
        "d; extra == 'y'",
    ]
    assert list(wanted(requirements, MACHINES["Windows x64"])) == ["a", "c"]
    assert list(wanted(requirements, MACHINES["macOS arm64"]).values()) == ["b", "c[x]>=1"]
