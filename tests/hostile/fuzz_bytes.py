"""Coverage-guided fuzzing of the intake and of the frame path: ``make fuzz`` runs it.

    python fuzz_bytes.py messages|frames [libFuzzer's options, -max_total_time=60, say]

It begins with the corpus beside it, keeps what it finds of interest in a folder of its own, and
leaves the input of a failure in the corpus, where the tests find it.
"""

import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
with atheris.instrument_imports(include=["vstats_core", "vstats_server", "websockets"]):
    from watching import LONGEST_TURN
    from wires import ours, plain

    from vstats_core.wire import strict_json
    from vstats_server.hub.intake import IncomingReport, MessageError, read

MANY = 10
"""How much slower the code is while its coverage is taken."""


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def messages(data: bytes) -> None:
    """Decide about a message; what is taken must be readable for everybody."""
    before = time.thread_time()
    try:
        taken = read(data)
    except (MessageError, UnicodeDecodeError):
        return
    finally:
        assert time.thread_time() - before < LONGEST_TURN * MANY
    if taken is not None:
        text = taken.text if isinstance(taken, IncomingReport) else taken.sections
        json.loads(text.decode(), parse_constant=refuse)
        strict_json.loads(text)


def frames(data: bytes) -> None:
    """Compare with the library's own connection; the first byte says where the stream is cut."""
    at = data[0] if data else 0
    pieces = [piece for piece in (data[1 : 1 + at], data[1 + at :]) if piece]
    runner.run(compare(pieces))


async def compare(pieces: list[bytes]) -> None:
    outcomes = []
    for peer in (plain(), ours()):
        if hasattr(peer.connection, "on_text"):
            peer.connection.on_text = peer.take_text
        for piece in pieces:
            await peer.feed(piece)
        await peer.end()
        outcomes.append(peer.outcome())
    assert outcomes[0] == outcomes[1]


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    target = {"messages": messages, "frames": frames}[sys.argv[1]]
    corpus = HERE / "corpus" / sys.argv[1]
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as found:
        options = [f"-artifact_prefix={corpus}/", "-timeout=5", "-rss_limit_mb=1024"]
        atheris.Setup([sys.argv[0], *options, *sys.argv[2:], found, str(corpus)], target)
        atheris.Fuzz()
