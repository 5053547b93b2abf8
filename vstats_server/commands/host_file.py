"""Edit the hosts in the configuration file, in place: comments stay, and no half file is seen."""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, InlineTable

from vstats_core.errors import Complaint, ConfigError
from vstats_server.config import digest, load, slug

__all__ = ["add", "remove", "rotate"]

TOKEN_BYTES = 32


def add(path: Path, name: str, *, id_: str | None, location: str, tags: Sequence[str]) -> str:
    """Add a host to the file, which is made if there is none, and return its new token.

    Raises:
        ConfigError: for a name or an id that is taken or not allowed; the file is as it was.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    host = tomlkit.table()
    host.trivia.indent = "\n"
    if id_ is not None:
        host["id"] = id_
    elif slug(name):
        host["id"] = slug(name)
    host["name"] = name
    if location:
        host["location"] = location
    if tags:
        host["tags"] = list(tags)
    host["token_sha256"] = digest(token)
    with _edited(path) as document:
        server = document.setdefault("server", tomlkit.table())
        if isinstance(server, InlineTable):
            raise ConfigError([Complaint(str(path), "server", "write it as [server] first")])
        if not isinstance(server.get("hosts"), AoT):
            # An empty inline list cannot hold tables.
            if server.get("hosts"):
                raise ConfigError(
                    [Complaint(str(path), "server.hosts", "write it as [[server.hosts]] first")]
                )
            server.pop("hosts", None)
            server["hosts"] = tomlkit.aot()
        server["hosts"].append(host)
    return token


def remove(path: Path, id_: str) -> None:
    """Remove a host from the file.

    Raises:
        ConfigError: for an id that is not there.
    """
    with _edited(path) as document:
        del document["server"]["hosts"][_index(path, id_)]


def rotate(path: Path, id_: str) -> str:
    """Give a host a new token and return it; the old one is good no more.

    Raises:
        ConfigError: for an id that is not there.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with _edited(path) as document:
        host: Any = document["server"]["hosts"][_index(path, id_)]
        host.pop("token", None)
        host["token_sha256"] = digest(token)
    return token


def _index(path: Path, id_: str) -> int:
    ids = [host.id for host in load(path).hosts]
    if id_ not in ids:
        known = f"known: {', '.join(ids)}" if ids else "there is none yet"
        raise ConfigError([Complaint(str(path), "server.hosts", f"no host {id_!r}; {known}")])
    return ids.index(id_)


@contextlib.contextmanager
def _edited(path: Path) -> Iterator[tomlkit.TOMLDocument]:
    """Yield the file's document; write it when it has been edited, unless that would break it.

    Two edits at once wait for each other. A reader sees the old file or the new, never a part.
    """
    path = Path(os.path.realpath(path))
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError([Complaint(str(path), "", error.strerror or str(error))]) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if path.exists():
            load(path)  # what cannot be read is never replaced
            document = tomlkit.parse(path.read_text(encoding="utf-8"))
        else:
            document = tomlkit.document()
        yield document
        _write(path, tomlkit.dumps(document))
        os.fsync(folder)
    except OSError as error:
        raise ConfigError([Complaint(str(path), "", error.strerror or str(error))]) from None
    finally:
        os.close(folder)


def _write(path: Path, text: str) -> None:
    """Put the text in the file's place: whole, valid, with the file's own owner and mode."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            if path.exists():
                old = path.stat()
                os.fchmod(handle, old.st_mode & 0o7777)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(handle, old.st_uid, old.st_gid)
            else:
                os.fchmod(handle, 0o640)
            stream.write(text)
            stream.flush()
            os.fsync(handle)
        try:
            load(temporary)
        except ConfigError as error:
            complaints = [
                Complaint(str(path), each.place, each.text, each.syntax)
                for each in error.complaints
            ]
            raise ConfigError(complaints) from None
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
