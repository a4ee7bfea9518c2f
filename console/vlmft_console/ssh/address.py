"""Address: `ssh://[USER@]HOST[:PORT][/FOLDER]`, read so that no part of it can be an option or a command."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from vlmft_core.errors import VlmftError

SCHEME: Final = "ssh://"
_FORM: Final = "ssh://HOST[:PORT][/FOLDER]; USER@ may stand before the host"
# Narrower than what ssh takes: no such name is an option, and none means anything to a shell that ssh is told to call
# with it (ProxyCommand, Match exec).
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]*")
_ZONE: Final = re.compile(r"[A-Za-z0-9_.-]+")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Address:
    """A machine, and a place on it."""

    host: str
    """A name of `~/.ssh/config`, of the network, or an IP address without brackets."""
    user: str = ""
    """Empty for the one that ssh takes by itself."""
    port: int | None = None
    """1 to 65535; None for the one that ssh takes by itself."""
    path: str = ""
    """Absolute, or beginning with `~`; empty for the home folder there."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """What a person typed. `%20` is a space, as in any URL; `/~/` begins at the home folder.

        Raises:
            VlmftError: it is none, or has a part that ssh, or a shell, could take for something else.
        """
        if not text.startswith(SCHEME):
            raise VlmftError(f"{text!r} is no machine's address", f"write {_FORM}")
        authority, slash, path = text.removeprefix(SCHEME).partition("/")
        user, at, place = authority.rpartition("@")
        host, port = _host_and_port(place, text)
        if ":" in user:
            raise VlmftError("a password has no place in an address", "ssh asks for it, or better: uses a key")
        if at and not _USER.fullmatch(unquote(user)):
            raise VlmftError(
                f"{text!r}: {user!r} is no user's name", "another can stand as User in ~/.ssh/config, for a host"
            )
        path = unquote(slash + path, errors="surrogateescape")
        if _CONTROL.search(path):
            raise VlmftError(f"{text!r}: a control character, or what is no UTF-8, is in the path")
        if path == "/~" or path.startswith("/~/"):
            path = path[1:]
        return cls(host, unquote(user), port, path)


def _host_and_port(text: str, whole: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    host, port = (bracketed[1], bracketed[2]) if bracketed else text.rsplit(":", 1) if ":" in text else (text, None)
    if bracketed:
        host = host.replace("%25", "%")
        if not _is_ipv6(host):
            raise VlmftError(f"{whole!r}: {host!r} is no IPv6 address")
    elif ":" in host:
        raise VlmftError(f"{whole!r}: an IPv6 address stands in brackets", "as in ssh://[::1]:22/folder")
    elif not _HOST.fullmatch(host):
        raise VlmftError(
            f"{whole!r}: {host!r} is no host's name" if host else f"{whole!r} names no host",
            "it has letters, digits, '.', '_', '+' and '-', and does not begin with '-', '+' or '.'",
        )
    if port is None:
        return host, None
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise VlmftError(f"{whole!r}: {port!r} is no port", "a number from 1 to 65535")
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    address, percent, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not percent or bool(_ZONE.fullmatch(zone))
