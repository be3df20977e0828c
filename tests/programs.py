"""serialfix and its simulator as programs, and what a test wants to know of a simulated VM from outside of both."""

import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serialfix.transcript import Transcript, read

CALM = ("--seed", "7", "--hostility", "calm")
PROGRAM = (sys.executable, "-m", "serialfix")
MOST_SECONDS = 110


@dataclass(frozen=True)
class Ended:
    """A run of serialfix that is over."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What --output json printed: one document on one line, and nothing else."""
        assert self.out.endswith("\n"), self.err
        assert self.out.count("\n") == 1, self.out
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def transcript(self) -> Transcript:
        return read(Path(self.document["transcript"]))


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which serialfix keeps everything below ``folder`` and finds nobody's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SERIALFIX_")}
    return kept | {
        "SERIALFIX_STATE_DIR": str(folder / "state"),
        "SERIALFIX_CACHE_DIR": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        **more,
    }


def serialfix(folder: Path, *arguments: str, **more: str) -> Ended:
    """Run serialfix without a terminal to its end."""
    ended = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=MOST_SECONDS,
        check=False,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Simulator:
    """A running ``serialfix simulate``, and what it announced."""

    process: "subprocess.Popen[str]"
    said: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.said["arm"])

    @property
    def password(self) -> str:
        return str(self.said["password"])

    @property
    def rdp_port(self) -> int:
        return int(str(self.said["rdp"]).rpartition(":")[2])

    def state(self) -> dict[str, Any]:
        """All that outlives a run."""
        state: dict[str, Any] = self._get("/simulator/state")["state"]
        return state

    def repaired(self) -> bool:
        """Whether the simulator itself finds nothing wrong any more."""
        return all(self._get("/simulator/state")["repaired"].values())

    def journal(self, kind: str) -> list[dict[str, Any]]:
        """What happened to the VM, of one kind, in order."""
        return [entry for entry in self._get("/simulator/journal")["journal"] if entry["kind"] == kind]

    def open_channels(self) -> list[str]:
        """Channels that were made and not closed."""
        left = [str(entry["name"]) for entry in self.journal("channel created")]
        for entry in self.journal("channel closed"):
            left.remove(str(entry["name"]))
        return left

    def token(self) -> str:
        form = {
            "grant_type": "password",
            "username": self.said["user"],
            "password": self.password,
            "scope": "https://management.azure.com/.default",
        }
        url = f"{self.url}/{self.said['tenant']}/oauth2/v2.0/token"
        return str(self._open(url, urllib.parse.urlencode(form).encode(), {})["access_token"])

    def _get(self, path: str) -> dict[str, Any]:
        return self._open(self.url + path, None, {"Authorization": f"Bearer {self.token()}"})

    def _open(self, url: str, data: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=self.said["ca"])
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with urllib.request.build_opener(*handlers).open(
            urllib.request.Request(url, data, headers), timeout=20
        ) as answer:
            document: dict[str, Any] = json.load(answer)
        return document


@contextmanager
def simulator(folder: Path, *arguments: str) -> Iterator[Simulator]:
    """A running simulator; it ends with the block, by the end of its standard input."""
    process = subprocess.Popen(
        [*PROGRAM, "simulate", "--output", "json", "--until-stdin-closes", *CALM, *arguments],
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Simulator(process, json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


def rdp_answers(port: int) -> str:
    """What a client of its own makes of an RDP port: the TLS version it agreed on, or in a word why it did not."""
    request = struct.pack(">BBH BBHHB", 3, 0, 19, 14, 0xE0, 0, 0, 0) + struct.pack("<BBHI", 1, 0, 8, 3)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = connection.recv(19, socket.MSG_WAITALL)
        if len(answer) < 19:
            return "closed"
        kind, _, _, value = struct.unpack("<BBHI", answer[11:])
        if kind != 2:
            return f"refused {value}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with context.wrap_socket(connection) as agreed:
                return agreed.version() or "no version"
        except (ssl.SSLError, ConnectionError):
            return "no TLS"


def holds(secret: str, texts: Sequence[str]) -> bool:
    return any(secret in text for text in texts)
