"""Scalars that TensorFlow's ``TensorProto`` holds, of every type that metrics have.

Field numbers and types are those of tensorflow/core/framework/tensor.proto and types.proto.
"""

import struct
from dataclasses import dataclass

from bayescale.logs import protobuf

_TYPE, _SHAPE, _CONTENT, _STRINGS = 1, 2, 4, 8
_STRING = 7


@dataclass(frozen=True)
class _Type:
    """A number's type: its layout in ``tensor_content``, and the field of its list of values."""

    layout: str
    field: int


_TYPES = {
    1: _Type("<f", 5),  # float
    2: _Type("<d", 6),  # double
    3: _Type("<i", 7),  # int32
    4: _Type("<B", 7),  # uint8
    5: _Type("<h", 7),  # int16
    6: _Type("<b", 7),  # int8
    9: _Type("<q", 10),  # int64
    10: _Type("<?", 11),  # bool
    14: _Type("bfloat16", 13),
    17: _Type("<H", 7),  # uint16
    19: _Type("<e", 13),  # half
    22: _Type("<I", 16),  # uint32
    23: _Type("<Q", 17),  # uint64
}
_FIXED = {
    5: protobuf.single,
    6: protobuf.double,
}  # fields whose values have a fixed width; the others are varints


def scalar(message: bytes) -> float | int | str | None:
    """The one value of a tensor; None where it has several, none, or a type that is no number.

    Raises
    ------
    WireError
        The message is malformed, or its content is not as long as its type says.
    """
    kind, size, content = 0, 1, b""
    values: dict[int, list[int | bytes]] = {}
    for number, _, value in protobuf.fields(message):
        if number == _TYPE:
            kind = value
        elif number == _CONTENT:
            content = protobuf.nested(value)
        elif number == _SHAPE:
            size = _size(protobuf.nested(value))
        else:
            values.setdefault(number, []).append(value)
    if size != 1:
        return None
    if kind == _STRING:
        texts = values.get(_STRINGS, [])
        return protobuf.text(texts[0]) if len(texts) == 1 else None
    known = _TYPES.get(kind) if isinstance(kind, int) else None
    if known is None:
        return None
    if content:
        return _unpacked(known.layout, content)
    listed = values.get(known.field, [])
    if len(listed) != 1:  # a value of zero is left out by the wire format
        return None if listed else 0
    value = listed[0]
    if known.field in _FIXED:
        return _FIXED[known.field](value)
    numbers = [value] if isinstance(value, int) else protobuf.packed(value)
    if len(numbers) != 1:
        return None
    return _from_bits(known, numbers[0])


def _size(shape: bytes) -> int:
    """Number of values of a shape."""
    size = 1
    for number, _, dim in protobuf.fields(shape):
        if number == 2 and isinstance(dim, bytes):
            sizes = [value for field, _, value in protobuf.fields(dim) if field == 1]
            size *= protobuf.signed(sizes[-1]) if sizes and isinstance(sizes[-1], int) else 0
    return size


def _unpacked(layout: str, content: bytes) -> float | int:
    if layout == "bfloat16":  # the upper half of a float
        layout, content = "<f", b"\0\0" + content
    if len(content) != struct.calcsize(layout):
        raise protobuf.WireError("the content of a tensor is not as long as its type says")
    return struct.unpack(layout, content)[0]


def _from_bits(kind: _Type, value: int) -> float | int:
    """The number whose varint is given: halves by their bits, signed numbers from 64 bits."""
    if kind.field == 13:
        if value >= 1 << 16:
            raise protobuf.WireError("a half has 16 bits")
        return _unpacked(kind.layout, value.to_bytes(2, "little"))
    return protobuf.signed(value) if kind.field in (7, 10) else value
