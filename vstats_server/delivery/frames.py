"""The frame that carries a text message to every peer: a server's frames have no mask."""

__all__ = ["frame"]

FINAL_TEXT = 0x81


def frame(message: bytes) -> bytes:
    """Return the message with the head that RFC 6455, 5.2 wants."""
    size = len(message)
    if size < 126:  # noqa: PLR2004 - from here on the size has a field of its own
        head = bytes((FINAL_TEXT, size))
    elif size < 0x10000:  # noqa: PLR2004 - two bytes
        head = bytes((FINAL_TEXT, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((FINAL_TEXT, 127)) + size.to_bytes(8, "big")
    return head + message
