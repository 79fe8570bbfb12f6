"""The wire format of Protocol Buffers: the documentation's examples, and what is refused."""

import struct

import pytest

from bayescale.logs import protobuf
from bayescale.logs.protobuf import WireError, fields
from tests.test_bayescale.logs.trackers import blob, double, number, single


def test_fields_are_read_in_the_order_written():
    message = number(1, 300) + blob(2, "text") + double(16, 0.1) + single(3, 0.5) + number(1, -1)
    assert list(fields(message)) == [
        (1, protobuf.VARINT, 300),
        (2, protobuf.BYTES, b"text"),
        (16, protobuf.FIXED64, struct.pack("<d", 0.1)),
        (3, protobuf.FIXED32, struct.pack("<f", 0.5)),
        (1, protobuf.VARINT, 2**64 - 1),
    ]


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, 2**31, -(2**31), 2**63 - 1, -(2**63)])
def test_signed_numbers_come_back(value):
    ((_, _, found),) = fields(number(5, value))
    assert protobuf.signed(found) == value


def test_packed_numbers_come_back():
    assert protobuf.packed(bytes([3, 0x8E, 0x02, 0x9E, 0xA7, 0x05])) == [3, 270, 86942]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\x08", "cut short"),
        (b"\x08\x80", "cut short"),
        (b"\x80", "cut short"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "longer than ten"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x12\x05abcd", "longer than its message"),
        (b"\x12", "cut short"),
        (b"\x12" + b"\xff" * 9 + b"\x01", "longer than its message"),
        (b"\x09abc", "longer than its message"),
        (b"\x0d", "longer than its message"),
        (b"\x0b", "no wire type 3"),
        (b"\x0f", "no wire type 7"),
        (b"\x00\x00", "no field 0"),
        (b"\x80\x80\x80\x80\x20\x01", "no field 1073741824"),
    ],
)
def test_a_malformed_message_is_refused(message, why):
    with pytest.raises(WireError, match=why):
        list(fields(message))


@pytest.mark.parametrize(
    ("convert", "value", "why"),
    [
        (protobuf.text, 1, "number stands where text"),
        (protobuf.text, b"\xff", "not UTF-8"),
        (protobuf.double, 1, "not as long"),
        (protobuf.double, b"1234", "not as long"),
        (protobuf.single, b"12345678", "not as long"),
        (protobuf.nested, 1, "where a message belongs"),
        (protobuf.signed, b"1", "where a whole number belongs"),
        (protobuf.packed, b"\x80", "cut short"),
    ],
)
def test_a_field_of_another_type_is_refused(convert, value, why):
    with pytest.raises(WireError, match=why):
        convert(value)


def test_every_cut_of_a_message_is_refused_or_gives_its_first_fields():
    message = number(1, 300) + blob(2, "text") + double(16, 0.1)
    whole = list(fields(message))
    for end in range(len(message)):
        found = []
        try:
            for one in fields(message[:end]):
                found.append(one)
        except WireError:
            pass
        assert found == whole[: len(found)]
        assert len(found) < len(whole)
