"""Show on one machine what vStats does: a relay, an agent, simulated hosts, on loopback."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shutil
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

from vstats_server.config import Host, Limits, ServerConfig, slug
from vstats_server.net.listening import reason_not_to_listen
from vstats_server.relay import Relay
from vstats_server.simulation import Shape, shapes, simulate

__all__ = ["run"]

logger = logging.getLogger(__name__)

AGENT_END = 3.0
"""Seconds that the agent is given to end; it promises two."""


async def run(port: int, simulated: int) -> int:
    """Show this machine and so many simulated hosts until SIGINT, SIGTERM or a hang-up.

    Each report of this machine is printed in a line; on a terminal, over the one before.
    """
    token = secrets.token_urlsafe(32)
    guests = [(shape, secrets.token_urlsafe(32)) for shape in shapes(simulated)]
    config = ServerConfig(
        port=port,
        # Whoever tries it need not wait a minute for the host that never comes.
        offline_after=20,
        # All of them come from this one address, and at the same moment.
        limits=Limits(connections_per_address=Limits().connections_per_address + simulated),
        hosts=[
            Host(id="demo", name="This machine", token=SecretStr(token)),
            *(_host(shape, secret) for shape, secret in guests),
        ],
    )
    # Hosts that come and go are what the page shows; the addresses should stay in view.
    for name in ("vstats_core.agent.link.uplink", "vstats_server.relay"):
        logging.getLogger(name).setLevel(logging.WARNING)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        async with Relay(config).serving() as bound, _agent(bound, token) as agent:
            click.echo(
                f"the live page is at     http://127.0.0.1:{bound}/\n"
                f"dashboards connect to   ws://127.0.0.1:{bound}/ws\n"
                f"all hosts as JSON at    http://127.0.0.1:{bound}/api/hosts\n"
                f"end with Ctrl-C"
            )
            tasks = [
                asyncio.create_task(_print_reports(bound)),
                asyncio.create_task(agent.wait()),
                asyncio.create_task(stop.wait()),
            ]
            url = f"ws://127.0.0.1:{bound}/ws/agent"
            visits = [asyncio.create_task(simulate(shape, url, secret)) for shape, secret in guests]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if error := task.exception():
                    logger.error("the demonstration ends: %s", error)
            for task in (*tasks, *visits):
                task.cancel()
            await asyncio.gather(*visits, return_exceptions=True)
            if sys.stdout.isatty():
                click.echo()  # the line of the last report has no end yet
    except OSError as error:
        logger.error("%s; choose another", reason_not_to_listen(config, error))  # noqa: TRY400
        return 1
    return 0 if stop.is_set() else 1


def _host(shape: Shape, token: str) -> Host:
    return Host(
        id=slug(shape.name),
        name=shape.name,
        location=shape.location,
        tags=list(shape.tags),
        token=SecretStr(token),
    )


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
                if message["type"] == "metrics" and message["data"]["server_id"] == "demo":
                    _print(_line(message["data"]["metrics"]))
        except ConnectionClosed:
            pass


def _print(line: str) -> None:
    """Print a line; on a terminal in place of the last, so that the addresses stay in view."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        click.echo(f"\r\x1b[K{line[: width - 1]}", nl=False)
    else:
        click.echo(line)


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
