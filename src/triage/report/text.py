"""Text of evidence made safe to look at, and numbers made easy to read."""

import re
from typing import Final

# Control characters, and those that change how their neighbours are shown or cannot be seen: bidirectional controls,
# zero-width characters, separators, tags, interlinear marks, unpaired surrogates.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    r"""The text with everything that cannot be seen, or that moves its neighbours, as an escape.

    >>> visible("a\nb\u202egpj.exe")
    'a\\nb\\u202egpj.exe'
    """
    # Nearly all text is plain, and there are millions of cells.
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub(_escape, text)


def parts(text: str) -> list[tuple[str, bool]]:
    r"""The same in pieces, each with whether it is an escape, so that a page can set escapes apart.

    >>> parts("a\nb")
    [('a', False), ('\\n', True), ('b', False)]
    """
    made: list[tuple[str, bool]] = []
    at = 0
    for match in _UNSEEN.finditer(text):
        if match.start() > at:
            made.append((text[at : match.start()], False))
        made.append((_escape(match), True))
        at = match.end()
    if at < len(text):
        made.append((text[at:], False))
    return made


def json_safe(encoded: str) -> str:
    """JSON text in which characters that cannot be seen are escaped too; it means the same."""
    return encoded if encoded.isascii() and encoded.isprintable() else _UNSEEN.sub(_json_escape, encoded)


def size_text(size: int) -> str:
    """Bytes for a reader: exact, and rounded in binary units where that helps.

    >>> size_text(512), size_text(5 << 30)
    ('512 bytes', '5.0 GiB (5,368,709,120 bytes)')
    """
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        amount /= 1024
        if 1 <= amount < 1024:
            return f"{amount:.1f} {unit} ({size:,} bytes)"
    return f"{size:,} bytes"


_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(match: re.Match[str]) -> str:
    number = ord(match.group())
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
