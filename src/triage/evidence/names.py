"""File names as bytes, and the text that stands for them in paths."""


def name_text(raw: bytes) -> str:
    r"""Text of one stored name: UTF-8, with ``\xNN`` for bytes that are not, and for ``/`` and NUL, which no name has.

    >>> name_text(b"caf\xe9/")
    'caf\\xe9\\x2f'
    """
    text = raw.decode("utf-8", "backslashreplace")
    return text.replace("/", "\\x2f").replace("\0", "\\x00") if "/" in text or "\0" in text else text


def raw_if_other(raw: bytes, text: str) -> bytes:
    """``raw`` if ``text`` does not say the same, else ``b""``: what belongs into `Entry.raw_path`."""
    if raw.isascii() and len(text) == len(raw):  # what is put in place of a byte is longer
        return b""
    return b"" if text.encode("utf-8", "surrogatepass") == raw else raw
