from __future__ import annotations

import os
from pathlib import Path

import pytest

from tokligence.config.errors import ConfigError
from tokligence.config.home import Home, expand_user, find_home, make_private_dir, open_private, user_home


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_paths_stand_where_the_documentation_says(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert {
        name: str(getattr(home, name).relative_to(tmp_path).as_posix())
        for name in dir(Home)
        if isinstance(getattr(Home, name), property)
    } == {
        "config_dir": "config",
        "settings_ini": "config/settings.ini",
        "former_settings_ini": "config/setting.ini",
        "firewall_ini": "config/firewall.ini",
        "ledger_db": "ledger.db",
        "journal_dir": "journal",
        "logs_dir": "logs",
        "log_file": "logs/gateway.log",
        "run_dir": "run",
        "pid_file": "run/gateway.pid",
        "state_file": "run/gateway.json",
        "lock_file": "run/gateway.lock",
        "secret_key": "secret.key",
    }
    assert home.env_ini("dev") == tmp_path / "config" / "dev" / "gateway.ini"


def test_prepare_makes_private_directories_and_leaves_an_existing_root_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    (root / "logs").mkdir(mode=0o755)
    root.chmod(0o755)
    home = Home(root)
    home.prepare()
    home.prepare()
    assert [
        mode(path) for path in (root, home.logs_dir, home.run_dir, home.journal_dir, home.config_dir)
    ] == [
        0o755,
        0o700,
        0o700,
        0o700,
        0o700,
    ]
    fresh = Home(tmp_path / "new" / "root")
    fresh.prepare()
    assert mode(fresh.root) == 0o700


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot make this directory: Not a directory$"):
        Home(tmp_path / "file" / "home").prepare()
    with pytest.raises(ConfigError, match=r"file: cannot make this directory: Not a directory$"):
        Home(tmp_path / "file").prepare()

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(ConfigError, match=r"home: cannot make this directory: Read-only file system$"):
        Home(tmp_path / "home").prepare()


def test_a_directory_whose_mode_is_not_ours_to_change_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    make_private_dir(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o755


def test_the_home_is_named_by_its_variable_or_stands_below_the_users(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    assert find_home(environ).root == tmp_path / ".tokligence"
    assert find_home({**environ, "TOKLIGENCE_HOME": " ~/x "}).root == tmp_path / "x"
    assert find_home({**environ, "TOKLIGENCE_HOME": "rel"}).root == Path.cwd() / "rel"
    with pytest.raises(ConfigError, match="TOKLIGENCE_HOME: contains a NUL"):
        find_home({"TOKLIGENCE_HOME": "a\0"})


def test_without_variables_the_user_database_names_the_users_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert user_home({}) == Path.home()

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert user_home({}) == Path.cwd()


def test_a_tilde_stands_for_the_users_directory() -> None:
    environ = {"HOME": "/users/me", "USERPROFILE": "/users/me"}
    assert expand_user("~", environ) == Path("/users/me")
    assert expand_user("~/a", environ) == Path("/users/me/a")
    assert expand_user("a~", environ) == Path("a~")
    assert expand_user("~no-such-user-here/a", environ) == Path("~no-such-user-here/a")


def test_a_private_file_is_made_for_this_user_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with open(tmp_path / "a", "w", opener=open_private) as file:
            file.write("x")
    finally:
        os.umask(old)
    assert mode(tmp_path / "a") == 0o600
