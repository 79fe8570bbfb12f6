"""The wire format of Protocol Buffers: a message as its fields, without a schema.

The encoding is that of https://protobuf.dev/programming-guides/encoding. A message is read one
level at a time, so that nothing in the file decides how deep the reader goes.
"""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; the two of the removed groups (3 and 4) are refused."""

_WORD = 1 << 64


class WireError(ValueError):
    """The bytes are not a message of Protocol Buffers."""


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Fields of a message in the order written.

    Parameters
    ----------
    message
        The message, as bytes.

    Yields
    ------
    tuple
        Number of the field, its wire type, and its value: a number from 0 to 2^64 - 1 for
        ``VARINT``, and the bytes as they stand otherwise.

    Raises
    ------
    WireError
        The message is cut short or malformed.

    Examples
    --------
    >>> list(fields(bytes([0x08, 0x96, 0x01, 0x12, 0x02]) + b"ok"))
    [(1, 0, 150), (2, 2, b'ok')]
    """
    at, end = 0, len(message)
    while at < end:
        key, at = (message[at], at + 1) if message[at] < 0x80 else _varint(message, at)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise WireError(f"there is no field {number}")
        if wire == VARINT:
            if at < end and message[at] < 0x80:
                value, at = message[at], at + 1
            else:
                value, at = _varint(message, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            if at < end and message[at] < 0x80:
                size, at = message[at], at + 1
            else:
                size, at = _varint(message, at)
        elif wire == FIXED64:
            size = 8
        elif wire == FIXED32:
            size = 4
        else:
            raise WireError(f"there is no wire type {wire}")
        if size > end - at:
            raise WireError("a field is longer than its message")
        yield number, wire, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number of seven bits a byte that starts at a place, and the place after it."""
    value = shift = 0
    for place in range(at, min(at + 10, len(message))):
        byte = message[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= _WORD:
                raise WireError("a number has more than 64 bits")
            return value, place + 1
        shift += 7
    raise WireError("a number is cut short or longer than ten bytes")


def signed(value: int | bytes) -> int:
    """The signed number (``int32`` or ``int64``) that a varint of 64 bits stands for.

    Raises
    ------
    WireError
        The field is no varint.

    Examples
    --------
    >>> signed(2**64 - 1)
    -1
    """
    if isinstance(value, bytes):
        raise WireError("bytes stand where a whole number belongs")
    return value - _WORD if value >= _WORD >> 1 else value


def packed(values: bytes) -> list[int]:
    """The varints that a packed repeated field holds.

    Raises
    ------
    WireError
        The field is cut short or malformed.
    """
    found, at = [], 0
    while at < len(values):
        value, at = _varint(values, at)
        found.append(value)
    return found


def text(value: int | bytes) -> str:
    """The text of a field of type ``string``.

    Raises
    ------
    WireError
        The field is no string, or is not UTF-8.
    """
    if isinstance(value, int):
        raise WireError("a number stands where text belongs")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("a text is not UTF-8") from None


def double(value: int | bytes) -> float:
    """The number of a field of type ``double``.

    Raises
    ------
    WireError
        The field is not eight bytes.
    """
    return _float("<d", value)


def single(value: int | bytes) -> float:
    """The number of a field of type ``float``.

    Raises
    ------
    WireError
        The field is not four bytes.
    """
    return _float("<f", value)


def _float(layout: str, value: int | bytes) -> float:
    if isinstance(value, int) or len(value) != struct.calcsize(layout):
        raise WireError("a float is not as long as its type says")
    return struct.unpack(layout, value)[0]


def nested(value: int | bytes) -> bytes:
    """The message that a field holds.

    Raises
    ------
    WireError
        The field is a number.
    """
    if isinstance(value, int):
        raise WireError("a number stands where a message belongs")
    return value
