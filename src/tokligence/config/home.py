"""The home directory: where configuration, ledger, logs and state of one gateway stand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from errno import ENOTDIR
from pathlib import Path
from typing import Final

from msgspec import Struct

from tokligence.config.errors import ConfigError

HOME_VARIABLE: Final = "TOKLIGENCE_HOME"
PRIVATE_DIR: Final = 0o700
PRIVATE_FILE: Final = 0o600


class Home(Struct, frozen=True):
    """All paths below `root`, which is absolute. Nothing need exist before `prepare`."""

    root: Path

    @property
    def config_dir(self) -> Path:
        return self.root / "config"

    @property
    def settings_ini(self) -> Path:
        return self.config_dir / "settings.ini"

    @property
    def former_settings_ini(self) -> Path:
        """The older spelling; read only where `settings_ini` is absent."""
        return self.config_dir / "setting.ini"

    def env_ini(self, environment: str) -> Path:
        return self.config_dir / environment / "gateway.ini"

    @property
    def firewall_ini(self) -> Path:
        return self.config_dir / "firewall.ini"

    @property
    def ledger_db(self) -> Path:
        return self.root / "ledger.db"

    @property
    def journal_dir(self) -> Path:
        return self.root / "journal"

    @property
    def logs_dir(self) -> Path:
        return self.root / "logs"

    @property
    def log_file(self) -> Path:
        return self.logs_dir / "gateway.log"

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    @property
    def pid_file(self) -> Path:
        return self.run_dir / "gateway.pid"

    @property
    def state_file(self) -> Path:
        return self.run_dir / "gateway.json"

    @property
    def lock_file(self) -> Path:
        return self.run_dir / "gateway.lock"

    @property
    def secret_key(self) -> Path:
        return self.root / "secret.key"

    def prepare(self) -> None:
        """Makes the directories that a running gateway needs, for this user only.

        `root` keeps its mode if it exists, since it may be a mounted volume or another directory of the user's.
        Raises `ConfigError` where a directory cannot be made.
        """
        make_private_dir(self.root, tighten=False)
        for directory in (self.config_dir, self.journal_dir, self.logs_dir, self.run_dir):
            make_private_dir(directory)


def user_home(environ: Mapping[str, str]) -> Path:
    """The user's own directory, for `~`."""
    named = environ.get("USERPROFILE") if os.name == "nt" else environ.get("HOME")
    if named:
        return Path(named)
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry in the user database: a bare container
        return Path.cwd()


def expand_user(path: str, environ: Mapping[str, str]) -> Path:
    """`path` with a leading `~` or `~name` replaced."""
    if path == "~" or path.startswith(("~/", "~\\")):
        return user_home(environ) / path[2:]
    return Path(os.path.expanduser(path)) if path.startswith("~") else Path(path)  # noqa: PTH111 - leaves ~unknown as it is


def find_home(environ: Mapping[str, str]) -> Home:
    """The home that `TOKLIGENCE_HOME` names, else `~/.tokligence`."""
    named = environ.get(HOME_VARIABLE, "").strip()
    if "\0" in named:
        raise ConfigError("contains a NUL character", key=HOME_VARIABLE)
    root = expand_user(named, environ) if named else user_home(environ) / ".tokligence"
    return Home(root.absolute())


def make_private_dir(path: Path, *, tighten: bool = True) -> None:
    """Makes `path` and its missing parents with mode 0700; `tighten` takes others' rights from an existing one.
    Raises `ConfigError` if it cannot be made."""
    try:
        # `mkdir(parents=True)` would give the parents everyone's rights.
        missing = [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=PRIVATE_DIR, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR))
    except OSError as error:
        raise ConfigError(f"cannot make this directory: {error.strerror}", file=path) from error
    if tighten and os.name == "posix" and path.stat().st_mode & 0o077:
        try:
            path.chmod(PRIVATE_DIR)
        except OSError:
            return  # another user's directory, or one mounted read-only: its owner has decided


def open_private(path: str | Path, flags: int) -> int:
    """An `opener` for `open()`: a file that it creates is readable and writable by this user only."""
    return os.open(path, flags, PRIVATE_FILE)
