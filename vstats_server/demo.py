"""Show on one machine what vStats does: a relay, an agent, a dashboard, on loopback."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from vstats_server.config import Host, ServerConfig
from vstats_server.relay import Relay, reason_not_to_listen

__all__ = ["run"]

logger = logging.getLogger(__name__)

AGENT_END = 3.0
"""Seconds that the agent is given to end; it promises two."""


async def run(port: int) -> int:
    """Relay this machine's reports until SIGINT, SIGTERM or a hang-up, and print each in a line."""
    token = secrets.token_urlsafe(32)
    config = ServerConfig(
        port=port,
        hosts=[Host(id="demo", name="This machine", token=SecretStr(token))],
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        async with Relay(config).serving() as bound, _agent(bound, token) as agent:
            click.echo(
                f"dashboards connect to  ws://127.0.0.1:{bound}/ws\n"
                f"all hosts as JSON at   http://127.0.0.1:{bound}/api/hosts\n"
                f"end with Ctrl-C"
            )
            tasks = [
                asyncio.create_task(_print_reports(bound)),
                asyncio.create_task(agent.wait()),
                asyncio.create_task(stop.wait()),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
    except OSError as error:
        logger.error("%s; choose another", reason_not_to_listen(config, error))  # noqa: TRY400
        return 1
    return 0 if stop.is_set() else 1


@contextlib.asynccontextmanager
async def _agent(port: int, token: str) -> AsyncIterator[Process]:
    """Run an agent, as the program that it is, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="vstats-demo-") as folder:
        file = _write(Path(folder, "agent.toml"), f"ws://127.0.0.1:{port}/ws/agent")
        agent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vstats_core", "--config", str(file)),
            env=os.environ | {"VSTATS_TOKEN": token},
        )
        try:
            yield agent
        finally:
            with contextlib.suppress(ProcessLookupError):
                agent.terminate()
            try:
                async with asyncio.timeout(AGENT_END):
                    await agent.wait()
            except TimeoutError:
                agent.kill()
                await agent.wait()


def _write(file: Path, url: str) -> Path:
    file.write_text(f'[agent]\nurl = "{url}"\n', encoding="utf-8")
    return file


async def _print_reports(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as dashboard:
        try:
            async for text in dashboard:
                message = json.loads(text)
                if message["type"] == "metrics":
                    click.echo(_line(message["data"]["metrics"]))
        except ConnectionClosed:
            pass


def _line(report: dict[str, Any]) -> str:
    """Return the report in a line of fixed columns; what is missing is a dash."""
    cells = [report["timestamp"][11:19], report["hostname"]]
    if (cpu := report.get("cpu")) is not None:
        cells.append(f"cpu {cpu['usage']:5.1f} %")
    if (memory := report.get("memory")) is not None:
        cells.append(f"memory {_size(memory['used'])} of {_size(memory['total'])}")
    if disks := report.get("disks"):
        cells.append(f"{disks[0]['mount_point']} {disks[0]['usage_percent']:.1f} %")
    if (network := report.get("network")) is not None:
        cells.append(f"down {_size(network['rx'])}/s up {_size(network['tx'])}/s")
    if (load := report.get("load_average")) is not None:
        cells.append(f"load {load['one']:.2f}")
    return "  ".join(cells)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1000:  # noqa: PLR2004 - so that a number has three digits at most
            return f"{count:5.3g} {unit}"
        count /= 1024
    return f"{count:5.3g} TiB"
