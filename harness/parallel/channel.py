"""Messages over a socket, one channel a worker: a process that dies in mid-message harms no other's.

`multiprocessing.Connection.recv` blocks once a message has begun; whoever watches several workers must not.
"""

import pickle
import socket
from typing import Any

HEADER = 8
CHUNK = 1 << 20


class Channel:
    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._buffer = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Any) -> None:
        """Raises OSError: the other end is gone, or takes nothing for as long as the socket may wait."""
        data = pickle.dumps(message)
        self._socket.sendall(len(data).to_bytes(HEADER, "little") + data)

    def receive(self) -> Any:
        """Wait for one message. Raises EOFError: there will be no more."""
        while (message := self._next()) is None:
            self._take(0)
        return pickle.loads(message)

    def arrived(self) -> list[Any]:
        """Those that have come whole; never waits. Raises EOFError: there will be no more."""
        return [pickle.loads(message) for message in self.unopened()]

    def unopened(self) -> list[bytes]:
        """As `arrived`, for whoever passes them on."""
        messages: list[bytes] = []
        while True:
            while (message := self._next()) is not None:
                messages.append(message)
            try:
                self._take(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return messages
            except EOFError:
                if messages:
                    return messages
                raise

    def _take(self, flags: int) -> None:
        try:
            data = self._socket.recv(CHUNK, flags)
        except ConnectionError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        self._buffer += data

    def _next(self) -> bytes | None:
        length = int.from_bytes(self._buffer[:HEADER], "little")
        if len(self._buffer) < HEADER or len(self._buffer) < HEADER + length:
            return None
        message = bytes(self._buffer[HEADER : HEADER + length])
        del self._buffer[: HEADER + length]
        return message

    def close(self) -> None:
        self._socket.close()
