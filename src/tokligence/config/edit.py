"""`tgw config set` and `unset`: one value changed in its INI file, every other byte kept.

A value is written where its key already stands, in the stronger file if in both, else to the environment's
`gateway.ini`. Nothing is written that could not be read back.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from tokligence.config.describe import origin_of, setting_name
from tokligence.config.document import Document
from tokligence.config.endpoints import is_endpoint, read_endpoint_value
from tokligence.config.errors import ConfigError
from tokligence.config.home import PRIVATE_FILE, Home, find_home, make_private_dir
from tokligence.config.ini import expand, read_text
from tokligence.config.layers import is_secret, parts_of
from tokligence.config.load import Loaded, environment_of, load, settings_file
from tokligence.config.render import sample_gateway_ini, sample_settings_ini
from tokligence.config.schema import FIELDS, Kind
from tokligence.config.values import Given, Origin, Place, Source, odd_key, read_value

DEFAULT_ENVIRONMENT: Final[str] = FIELDS["environment"].default
BOM: Final = b"\xef\xbb\xbf"


class Edit(Struct, frozen=True):
    """What was done. `file`, `line`: where the value now stands or stood; `file` None: there was nothing to unset.
    `overridden`: the variable or flag that still wins over the file. `restart`: a reload does not put it into
    effect. `loaded`: the settings as they are now; None if something else in the files is wrong (see `warnings`)."""

    name: str
    file: Path | None
    line: int | None
    overridden: Origin | None
    restart: bool
    warnings: tuple[str, ...]
    loaded: Loaded | None


class Desk(Struct, frozen=True):
    """What an edit works on: the same arguments as `load`'s."""

    environ: Mapping[str, str]
    flags: Mapping[str, str]
    home: Home

    def files(self) -> tuple[Path, Path]:
        """The environment's file and the general one."""
        environment = environment_of(self.environ, self.flags, self.home)
        return self.home.env_ini(environment), settings_file(self.home)[0]

    def load(self, changed: Path | None = None, text: str = "") -> Loaded:
        def read(path: Path) -> str | None:
            return text if path == changed else read_text(path)

        return load(self.environ, self.flags, self.home.root, read)


def set_value(
    name: str,
    text: str,
    environ: Mapping[str, str],
    flags: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Edit:
    """Sets `name` (or `provider.NAME.KEY`) to `text`, which is kept as given. Raises `ConfigError` for no setting, a
    bad value, one that breaks the whole, or a file that cannot be written; nothing is changed then."""
    desk = _desk(environ, flags, home)
    name = setting_name(name)
    value = ",".join(part.text for part in parts_of(text)) if _is_list(name) else text.strip()
    if name in FIELDS and not FIELDS[name].plain:
        raise ConfigError("is set key by key: provider.NAME.base_url and so on", key=name)
    if not value:
        raise ConfigError("needs a value; `unset` takes one away", key=name)
    warnings = _check(name, value, desk)
    file = _file_with(name, desk) or desk.files()[name == "environment"]
    document = Document.read(read_text(file) or "")
    line = document.set(name, value)
    return _finish(desk, name, file, document, line=line, warnings=warnings)


def unset_value(
    name: str, environ: Mapping[str, str], flags: Mapping[str, str] | None = None, home: Path | None = None
) -> Edit:
    """Takes `name`, `provider.NAME.KEY` or the whole of `provider.NAME` out of the file that wins. Raises
    `ConfigError` as `set_value` does."""
    desk = _desk(environ, flags, home)
    whole = is_endpoint(name) and name.count(".") == 1
    name = name.strip().lower() if whole else setting_name(name)
    file = _file_with(name, desk)
    if file is None:
        loaded = desk.load()
        return Edit(name, None, None, _stronger(loaded, name), False, (), loaded)
    document = Document.read(read_text(file) or "")
    line = document.unset(name)
    return _finish(desk, name, file, document, line=line, warnings=[])


def _desk(environ: Mapping[str, str], flags: Mapping[str, str] | None, home: Path | None) -> Desk:
    return Desk(environ, flags or {}, find_home(environ) if home is None else Home(home.absolute()))


def _is_list(name: str) -> bool:
    return name in FIELDS and isinstance(FIELDS[name].default, tuple)


def _file_with(name: str, desk: Desk) -> Path | None:
    """The stronger of the files in which `name` stands."""
    overlay, base = desk.files()
    for file in (base,) if name == "environment" else (overlay, base):
        text = read_text(file)
        if text is not None and Document.read(text).holds(name):
            return file
    return None


def _check(name: str, value: str, desk: Desk) -> list[str]:
    """Raises `ConfigError` if the value is not valid; gives warnings about one that is merely odd."""
    expanded, missing = expand(value, desk.environ)
    if missing:
        return [f"{name}: the variable {missing[0]} is not set here"]
    given = Given(name, parts_of(expanded), Origin(Source.FLAG, variable=name))
    if is_endpoint(name):
        read_endpoint_value(name, given, Place(desk.home.root, desk.environ))
        return []
    field = FIELDS[name]
    read = read_value(field, given, Place(desk.home.root, desk.environ))
    odd = odd_key(field, read) if field.setting.kind is Kind.SECRET else None
    return [] if odd is None else [odd]


def _finish(desk: Desk, name: str, file: Path, document: Document, *, line: int, warnings: list[str]) -> Edit:
    text = document.text()
    loaded: Loaded | None = None
    try:
        loaded = desk.load(file, text)
    except ConfigError as error:
        # A mistake that was there before must not keep the user from mending another.
        if _sound(desk):
            raise
        warnings = [*warnings, str(error)]
    replace_file(file, text, private=is_secret(name))
    field = FIELDS.get(name)
    overridden = None if loaded is None else _stronger(loaded, name)
    restart = field is not None and not field.setting.reload
    return Edit(name, file, line, overridden, restart, tuple(warnings), loaded)


def _sound(desk: Desk) -> bool:
    try:
        desk.load()
    except ConfigError:
        return False
    return True


def _stronger(loaded: Loaded, name: str) -> Origin | None:
    origin = origin_of(loaded, name)
    return origin if origin.source in (Source.FLAG, Source.ENVIRONMENT) else None


def write_samples(home: Home, *, force: bool = False) -> tuple[Path, ...]:
    """Writes the two sample files of `tgw init`, mode 0600, and gives those written: an existing one stays as it is
    unless `force`. Raises `ConfigError` if one cannot be written."""
    samples = {
        home.settings_ini: sample_settings_ini(),
        home.env_ini(DEFAULT_ENVIRONMENT): sample_gateway_ini(),
    }
    missing = [file for file in samples if force or not file.exists()]
    for file in missing:
        replace_file(file, samples[file], private=True)
    return tuple(missing)


def replace_file(file: Path, text: str, *, private: bool) -> None:
    """Puts `text` in the place of a file at once: a crash leaves the old or the new one. `private`: only this user
    may read it afterwards; else an existing file keeps its mode."""
    make_private_dir(file.parent, tighten=False)
    target = file.resolve()  # a link to a file elsewhere stays a link
    temporary: Path | None = None
    try:
        exists = target.exists()
        marked = exists and target.read_bytes().startswith(BOM)
        mode = target.stat().st_mode & 0o777 if exists else PRIVATE_FILE
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as out:
            out.write((BOM if marked else b"") + text.encode())
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(mode & 0o700 if private else mode)
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise ConfigError(f"cannot be written: {error.strerror}", file=file) from error
