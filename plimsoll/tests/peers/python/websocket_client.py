"""Echoes over a WebSocket; a line on standard input is sent, the answer is printed."""

import sys

from websockets.sync.client import connect

with connect(sys.argv[1]) as socket:
    print("open", flush=True)
    for line in sys.stdin:
        socket.send(line.strip())
        print(socket.recv(), flush=True)
