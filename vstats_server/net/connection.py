"""What we add to websockets' server connection; the one file that knows the library's insides.

It relies, within websockets 17, on ``protocol.state``, ``protocol.send_close`` and ``send_ping``,
``protocol.max_message_size`` and ``current_size``, ``send_data``, ``transport``, ``paused``, on
being told through ``connection_made``, ``connection_lost``, ``data_received``, ``process_event``,
``resume_writing`` and ``send_data``, on ``recv_messages.frames`` being what waits for ``recv()``,
and on the parser asking ``protocol.reader.at_eof()`` between two frames and nowhere else.
Its tests would notice a change in any of them.

The library's own ``close()``, keepalive and ``Server.close()`` wait for ever on a connection whose
send buffer is full, and it waits for ever for a peer that has sent or was sent a Close to end the
TCP connection. Nothing here ever waits.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Generator
from typing import Any

import websockets.frames
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CLOSED, CLOSING, OPEN, Event
from websockets.streams import StreamReader

from vstats_server.net.tls_transport import socket_transport

__all__ = ["FULL", "RelayConnection"]

logger = logging.getLogger(__name__)

FULL = 64 * 1024
"""Bytes that may wait in a connection's send buffer before it counts as full."""
NEARLY_EMPTY = 16 * 1024
CLOSE_GRACE = 2.0
"""Seconds that a peer is given to answer a Close, and to end the connection after one."""
MOST_PINGS = 100
"""Pings taken from a peer that does not read their pongs."""

MOST_SMALL_FRAMES = 1000
"""Frames a second, besides whole messages, that a peer may send: pings, pongs, fragments."""
TOO_MANY = 4429

_NO_REQUEST = Request("", Headers())

FINAL_TEXT = 0x81
MASKED = 0x80
TWO_BYTES, EIGHT_BYTES = 126, 127
"""The values of a frame's length that say: the next bytes have it (RFC 6455, 5.2)."""


class _Reader(StreamReader):
    """The library's reader, which knows in addition whether its parser is between two frames."""

    between_frames = False

    def at_eof(self) -> Generator[None, None, bool]:
        self.between_frames = True
        while not self.buffer and not self.eof:
            yield
        self.between_frames = False
        return not self.buffer


class RelayConnection(ServerConnection, asyncio.BufferedProtocol):
    """A connection that can be written to and ended without waiting for its peer.

    What arrives is read into ``buffer``, which all connections of one event loop share.

    Attributes:
        address: The IP address of the peer, or of the client for which a trusted proxy speaks.
        was_cut: Whether it was ended by us: nothing that still comes counts.
        lost: Whether the connection is gone.
        on_lost: Called once, when the connection is gone.
        on_heard: Called for each data frame and each pong.
        on_writable: Called when a full send buffer has emptied.
        on_ending: Called when nothing more may be sent: a Close was, or the connection is gone.
        on_text: Called with a text message that came in one frame, not decoded, as soon as it is
            there. Other messages, and all messages while this is None, are for ``recv()``.
    """

    def __init__(
        self,
        *args: Any,
        on_made: Callable[["RelayConnection"], None],
        buffer: memoryview,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # The parser has begun with it already, so it cannot be exchanged for another.
        self.protocol.reader.__class__ = _Reader
        self.address = ""
        self.was_cut = False
        self.lost = False
        self.on_lost: Callable[[], None] = _ignore
        self.on_heard: Callable[[], None] = _ignore
        self.on_writable: Callable[[], None] = _ignore
        self.on_ending: Callable[[], None] = _ignore
        self.on_text: Callable[[bytes], None] | None = None
        self._on_made = on_made
        self._buffer = buffer
        self._pong_due = False
        self._ping_timer: asyncio.TimerHandle | None = None
        self._pings_while_full = 0
        self._small_frames = 0
        self._small_frames_since = 0.0
        self._end_timer: asyncio.TimerHandle | None = None
        # The socket's own transport, where what was encrypted waits; without TLS there is none.
        self._below: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """Whether messages can still be sent."""
        return self.protocol.state is OPEN

    @property
    def full(self) -> bool:
        """Whether so much waits to be sent that nothing should be added."""
        return self.paused

    @property
    def unsent(self) -> int:
        """Bytes that wait in the send buffer (the kernel's, of at most FULL, comes on top)."""
        unsent = self.transport.get_write_buffer_size()
        if self._below is not None:
            unsent += self._below.get_write_buffer_size()
        return unsent

    def write(self, frames: bytes) -> None:
        """Hand over whole frames; after a Close they are dropped, as the protocol wants."""
        # No data may come between the fragments of a message; we never send fragmented ones.
        if self.open:
            self.transport.write(frames)

    def cut(self, code: int, reason: str) -> None:
        """Say why, give the peer a moment to agree, and end the connection in any case."""
        self.was_cut = True
        if self.open:
            self.protocol.send_close(code, reason)
            self.send_data()
        elif self.request is None:
            self.transport.abort()
        else:
            self._end_soon()

    def _end_soon(self) -> None:
        if self._end_timer is None and not self.lost:
            self._end_timer = self.loop.call_later(CLOSE_GRACE, self.transport.abort)

    def forget_handshake(self) -> None:
        """Let go of the headers of both sides: an eighth of what an idle connection holds."""
        # The library tells a handshake from a frame by whether there is a request yet.
        self.request = _NO_REQUEST
        self.response = None

    def limit_messages(self, size: int) -> None:
        """Refuse (1009) messages of more bytes than these."""
        self.protocol.max_message_size = size

    def limit_kernel_buffer(self) -> None:
        """Let the kernel hold little, so that what a slow reader gets is not minutes old."""
        tcp: socket.socket = self.transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FULL)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NEARLY_EMPTY)

    def keep_alive(self, interval: float) -> None:
        """Ping once an interval; end the connection (1011) when one passes without a pong."""
        self._ping_timer = self.loop.call_later(interval, self._ping, interval)

    def _ping(self, interval: float) -> None:
        if not self.open:
            return
        if self._pong_due:
            self.cut(CloseCode.INTERNAL_ERROR, "no pong")
            return
        self._pong_due = True
        self.protocol.send_ping(b"")
        self.send_data()
        self.keep_alive(interval)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(FULL, NEARLY_EMPTY)
        self._below = socket_transport(self.transport)
        if self._below is not None:
            # What waits above can be told to wait; what waits below cannot be taken back.
            self._below.set_write_buffer_limits(NEARLY_EMPTY)
        peer = transport.get_extra_info("peername")
        # A socket for both families calls an IPv4 address ::ffff:192.0.2.1.
        self.address = peer[0].removeprefix("::ffff:") if peer else ""
        self._on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        super().connection_lost(exc)
        self.lost = True
        self.on_ending()
        for timer in filter(None, (self._ping_timer, self._end_timer)):
            timer.cancel()
        self.on_lost()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """See :class:`asyncio.BufferedProtocol`.

        A new buffer for each read, of 256 KiB as asyncio makes them, would have the kernel map and
        unmap memory each time. (uvloop has one of its own, and calls ``data_received()``.)
        """
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See :class:`asyncio.BufferedProtocol`."""
        self.data_received(self._buffer[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Take a text message that has come alone and whole; leave all else to the library.

        That is how reports arrive, and the library's parser, made for everything that a peer can
        send, needs as long for one as all that we do with it.
        """
        if self.on_text is not None and (message := self._whole_text(data)) is not None:
            self.on_heard()
            self._hand_over(self.on_text, message)
        else:
            super().data_received(bytes(data))

    def _whole_text(self, data: bytes | memoryview) -> bytes | None:
        """Return the message, if the data is one frame, with the whole of one, and in its place."""
        if len(data) < 6 or data[0] != FINAL_TEXT:  # noqa: PLR2004 - the shortest masked frame
            return None
        # An unmasked frame has a negative size here, and so never the right length.
        size, mask_at = data[1] - MASKED, 2
        if size == TWO_BYTES:
            size, mask_at = data[2] << 8 | data[3], 4
        protocol = self.protocol
        if (
            len(data) != mask_at + 4 + size
            or data[1] == MASKED | EIGHT_BYTES
            or size > protocol.max_message_size  # type: ignore[operator]  # ours always have one
            or not protocol.reader.between_frames  # type: ignore[attr-defined]
            or protocol.current_size is not None
            or protocol.state is not OPEN
            # What waits for recv(), a message in fragments perhaps, must not be overtaken.
            or self.recv_messages.frames
        ):
            return None
        return websockets.frames.apply_mask(  # type: ignore[attr-defined]
            bytes(data[mask_at + 4 :]), bytes(data[mask_at : mask_at + 4])
        )

    def _hand_over(self, on_text: Callable[[bytes], None], message: bytes) -> None:
        try:
            on_text(message)
        except Exception:
            # Out of here it would look like a fault of the network.
            logger.exception("a message from %s could not be taken", self.address)
            self.cut(CloseCode.INTERNAL_ERROR, "internal error")

    def process_event(self, event: Event) -> None:
        """Take note of signs of life on the way to the library's own processing."""
        if isinstance(event, Frame):
            if not event.fin or event.opcode not in (Opcode.TEXT, Opcode.BINARY):
                self._count_small_frame()
            if event.opcode is Opcode.PONG:
                self._pong_due = False
            if event.opcode is Opcode.PING and self.full:
                self._pings_while_full += 1
                if self._pings_while_full > MOST_PINGS:
                    self.transport.abort()
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PONG):
                self.on_heard()
            if (
                self.on_text is not None
                and event.opcode is Opcode.TEXT
                and event.fin
                # What waits for recv(), a message in fragments perhaps, must not be overtaken.
                and not self.recv_messages.frames
            ):
                # No queue and no task to wake: half of what taking a small message costs.
                self._hand_over(self.on_text, bytes(event.data))
                return
        super().process_event(event)

    def _count_small_frame(self) -> None:
        """End the connection (4429) when they come in a flood; each costs what a message does."""
        now = self.loop.time()
        if now - self._small_frames_since >= 1:
            self._small_frames_since, self._small_frames = now, 0
        self._small_frames += 1
        if self._small_frames == MOST_SMALL_FRAMES:
            self.cut(TOO_MANY, "too many frames")
            # Its answer would be at the end of the flood.
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """See :class:`asyncio.Protocol`."""
        super().resume_writing()
        self._pings_while_full = 0
        self.on_writable()

    def send_data(self) -> None:
        """Send what the protocol has to say; its last word is the beginning of the end."""
        super().send_data()
        if self.protocol.state in (CLOSING, CLOSED):
            self.on_ending()
            self._end_soon()


def _ignore() -> None:
    """Take note of nothing."""
