"""What QEMU runs for a connection of the board to a printer: ``relay.py PORT`` passes it on to 127.0.0.1."""

from __future__ import annotations

import selectors
import socket
import sys


def main() -> None:
    """Pass bytes between standard input, which is a socket of QEMU's, and the port, until one side has enough."""
    board = socket.socket(fileno=sys.stdin.fileno())
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as printer, selectors.DefaultSelector() as ready:
        ready.register(board, selectors.EVENT_READ, printer)
        ready.register(printer, selectors.EVENT_READ, board)
        while True:
            for key, _ in ready.select():
                said = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not said:
                    return
                key.data.sendall(said)


if __name__ == "__main__":
    main()
