"""A client on aiohttp: python aiohttp_client.py FOLDER URL ROLE [TOKEN]."""

import asyncio
import json
import sys

import aiohttp


def say(**what):
    print(json.dumps(what), flush=True)


async def main(url, role, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(url, headers=headers)
        except aiohttp.WSServerHandshakeError as error:
            say(event="refused", status=error.status)
            return
        say(event="open")
        if role == "agent":
            for message in sys.stdin.read().splitlines():
                await socket.send_str(message)
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            say(event="message", data=message.data)
        say(event="close", code=socket.close_code, reason=message.extra or "")


asyncio.run(main(*sys.argv[2:]))
