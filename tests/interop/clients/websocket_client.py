"""A client on websocket-client: python websocket_client.py FOLDER URL ROLE [TOKEN]."""

import json
import sys

import websocket


def say(**what):
    print(json.dumps(what), flush=True)


def main(url, role, token=None):
    headers = [f"Authorization: Bearer {token}"] if token else []
    try:
        socket = websocket.create_connection(url, header=headers, timeout=20)
    except websocket.WebSocketBadStatusException as error:
        say(event="refused", status=error.status_code)
        return
    say(event="open")
    if role == "agent":
        for message in sys.stdin.read().splitlines():
            socket.send(message)
    while True:
        opcode, data = socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            say(event="close", code=int.from_bytes(data[:2], "big"), reason=data[2:].decode())
            return
        say(event="message", data=data.decode())


main(*sys.argv[2:])
