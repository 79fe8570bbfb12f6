"""The checksum of event files: CRC-32C, masked as LevelDB and TensorFlow do."""

import google_crc32c

_MASK = 0xA282EAD8


def masked_crc32c(data: bytes) -> int:
    """The masked CRC-32C of some bytes: ``rotate_right(crc, 15) + 0xa282ead8`` modulo 2^32.

    Masking keeps the checksum of bytes that hold checksums themselves apart from them.

    Examples
    --------
    >>> hex(masked_crc32c(b"123456789"))  # CRC-32C 0xe3069283
    '0xc78ab0e5'
    """
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF
