"""Text that no terminal should be shown as it is, the same for the same seed, and what may reach a terminal."""

from __future__ import annotations

import json
import random
import re

MARK = "EVIL"
"""Stands in every payload, so that it can be found again in what reached the terminal."""

_PAYLOADS = (
    "\x1b]0;{mark}\x07",
    "\x1b]52;c;{mark}\x07",
    "\x1b]8;;http://{mark}.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP1$r{mark}\x1b\\",
    "\x1b_{mark}\x1b\\",
    "\x1b^{mark}\x1b\\",
    "\x1bX{mark}\x1b\\",
    "\x1b[2J\x1b[H{mark}",
    "\x1b[?1049l{mark}",
    "\x1b[6n{mark}",
    "\x1b[31;5m{mark}\x1b[8m",
    "\x1bc{mark}",
    "\x9b2J{mark}",
    "\x9d0;{mark}\x9c",
    "\x90{mark}\x9c",
    "{mark}\b\b\b\b\a\x7f\x00\x0e",
    "loss 1.0\r{mark}",
    "{mark}\u202egnp.exe\u202c\u2066",
    "[@click=app.quit]{mark}[/]",
    "[bold red on blue]{mark}[/bold red on blue]",
    "[/]{mark}[/b][link=file:///etc/passwd]x[/link]",
    "[{mark}",
    "{mark}\\[b]$error $primary 45%",
    "{mark} e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
    "{mark} \U0001f468\u200d\U0001f469\u200d\U0001f467 漢字\u3000\ufeff\u2028\u2029\x85",
    "{mark} \t\t\v\f end",
    "{mark} '\"`$(reboot)`%s%n{{}}{{0}}",
)

_CONTROLS = "\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"

ALLOWED = re.compile(
    r"\x1b\[(?:"
    r"[0-9;]*m"  # styles
    r"|[0-9]+;[0-9]+H"  # places
    r"|\?(?:7|25|1000|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]"  # modes
    r"|\?(?:2026|2048)\$p"  # questions about modes
    r"|>[0-9]+u|<u"  # keyboard protocol
    r")"
    r"|\x1b\]22;[a-z-]*\x07"  # the mouse pointer's shape
    r"|\x1b\]8;(?:id=[0-9-]+;file://[!-~]*|;)\x1b\\"  # links to files
    rf"|\x1b\]2;vlmft[^{_CONTROLS}]*\x1b\\"  # the window's title
)
"""Every sequence that Textual sends of itself, and those that are ours."""

ALLOWED_IN_KITTY = re.compile(
    r"\x1b\[>q\x1b\[c"  # what terminal it is
    r"|\x1b_Ga=T,f=100,q=2,U=1,i=[0-9]+,p=1,c=[0-9]+,r=[0-9]+,m=[01];[A-Za-z0-9+/]+=*\x1b\\"  # a picture, or its start
    r"|\x1b_Gq=2,m=[01];[A-Za-z0-9+/]+=*\x1b\\"  # its rest
    r"|\x1b_Ga=p,q=2,U=1,i=[0-9]+,p=1,c=[0-9]+,r=[0-9]+\x1b\\"  # another size for it
    r"|\x1b_Ga=d,q=2,d=I,i=[0-9]+\x1b\\"  # no longer
)
"""What of ours a terminal that draws pictures gets besides."""

_FORBIDDEN = re.compile(f"[{_CONTROLS}]")


class Hostile:
    """Lines, names and records with markup, escapes and junk in them."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.metrics = [self.text() for _ in range(40)]
        """Names of figures in its records."""

    def text(self) -> str:
        """A payload or two, with or without harmless text around them."""
        dice = self._dice
        payloads = (
            dice.choice(_PAYLOADS).format(mark=f"{MARK}{dice.randrange(1000)}") for _ in range(dice.choice((1, 1, 2)))
        )
        return dice.choice(("", "step 7 ", "{'loss': ")) + " ".join(payloads) + dice.choice(("", " tail", "'}"))

    def line(self) -> bytes:
        """A line of a plain log, without its end; now and then bytes that are no text, or a very long one."""
        dice, text = self._dice, self.text().replace("\n", " ")
        kind = dice.random()
        if kind < 0.05:
            return dice.randbytes(dice.randrange(80)).replace(b"\n", b" ")
        if kind < 0.06:
            return text.encode() * 40
        return text.encode("latin-1", "replace") if kind < 0.15 else text.encode()

    def name(self) -> str:
        """A name that a folder can have."""
        return self.text().replace("/", "|").replace("\0", " ")[:60]

    def record(self, number: int) -> bytes:
        """A line of an event log: a valid record with hostile text in it, or something that is none."""
        dice = self._dice
        fields: dict[str, object] = dice.choice(
            (
                {"event": "note", "message": self.text()},
                {"event": self.text(), "message": self.text()},
                {
                    "event": "step",
                    "step": number,
                    "epoch": number / 100,
                    "loss": dice.choice((1.0, None, 1e299, self.text())),
                },
                {
                    "event": "gpu",
                    "step": number,
                    "gpus": [{"index": self.text(), "util": self.text(), "name": self.text()}],
                },
                {
                    "event": "eval",
                    "step": number,
                    "epoch": 1.0,
                    "eval_loss": dice.random(),
                    "tasks": {self.text(): {self.text(): 0.5}},
                },
                {"event": "checkpoint", "step": number, "path": self.text(), "kept": [self.text()]},
                {"event": "heartbeat", "step": number, "phase": self.text()},
                {
                    "event": "run_start",
                    "run_id": self.text(),
                    "segment": 1,
                    "host": self.text(),
                    "resumed_from": number,
                },
            )
        )
        if fields["event"] == "step":
            fields |= {"lr": 1e-4, "grad_norm": 0.5, "nonfinite": [self.text()], self.text(): self.text()}
            fields[dice.choice(self.metrics)] = dice.random()
        line = json.dumps({"v": 1, "seq": number, "t": 1.7e9 + number, "mono": float(number), **fields}).encode()
        kind = dice.random()
        if kind < 0.05:
            return line[: dice.randrange(len(line))]
        return self.line() if kind < 0.1 else line


def foreign_controls(written: bytes, *, kitty: bool = False) -> list[str]:
    """What of the bytes that reached a terminal neither Textual sends of itself nor is printable, with its context.

    Args:
        written: the bytes.
        kitty: whether it is a terminal that draws pictures.
    """
    rest = ALLOWED.sub("", written.decode())  # strict: half a character would be wrong too
    if kitty:
        rest = ALLOWED_IN_KITTY.sub("", rest)
    return [rest[max(0, found.start() - 30) : found.end() + 30] for found in _FORBIDDEN.finditer(rest)]
