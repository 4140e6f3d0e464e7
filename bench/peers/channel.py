"""The IPC channel that Node gives to a process that it forks: lines of JSON on a file descriptor named in the environment."""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any


class Channel:
    """Messages to and from the process that started this one."""

    def __init__(self) -> None:
        self._socket = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def __iter__(self) -> Iterator[Any]:
        """Messages as they come, until the other process closes the channel or is gone."""
        for line in self._lines:
            yield json.loads(line)

    def send(self, message: object) -> None:
        """Sends a message that JSON can hold."""
        self._socket.sendall(json.dumps(message).encode() + b"\n")
