"""Text is UTF-8; what is not is named."""

from bayescale.errors import RunsError


def not_utf8(name: str) -> str:
    """Return the sentence that says a text is in another encoding."""
    return (
        f"{name}: the text is not UTF-8 (probably Latin-1 or Windows-1252); "
        "save the file with UTF-8 encoding."
    )


def decoded(head: bytes, name: str, *, complete: bool = False) -> str:
    """Return the text of the first bytes of a file, or of all of them.

    Raises
    ------
    RunsError
        It is not UTF-8.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RunsError(f"{name}: the text is UTF-16; save the file with UTF-8 encoding.")
    if b"\x00" in head:
        raise RunsError(
            f"{name}: holds zero bytes, so it is UTF-16 or not text; save the table as UTF-8."
        )
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cut = error.start > len(head) - 4 and error.reason == "unexpected end of data"
        if cut and not complete:
            return head[: error.start].decode("utf-8-sig")
        raise RunsError(not_utf8(name)) from None
