"""What the readers of encrypted volumes share: which credentials to try, and how to say how it ended."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from triage.evidence.entry import Keys
from triage.evidence.layout import LOCKED, ORIGIN, UNLOCKED, Layout, Part
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

MAX_KEY_FILE: Final = 8 << 20
"""cryptsetup's own default limit; a startup key of BitLocker has 156 bytes."""

_RECOVERY: Final = re.compile(r"\d{6}(-\d{6}){7}")


def locked(kind: str, method: str, locator: Locator, keys: Keys, *, reason: str = "", description: str = "") -> Layout:
    """The layout of an encrypted volume that stays closed.

    ``kind`` is the name of the scheme, ``method`` the cipher, ``reason`` says why it could not even be tried
    (damaged, or a form that is not supported): then it does not count as a credential that does not fit.
    """
    what = f"encrypted ({', '.join(filter(None, (kind, method)))})"
    why = reason or ("no given key opens it" if keys else "")
    text = f"{what}: not examined" + (f" ({why})" if why else "")
    doubt = notice(NoticeKind.ENCRYPTED, locator, text, ORIGIN)
    about = "; ".join(filter(None, (what, description)))
    return Layout(kind, about, notices=(doubt,), state=LOCKED, wrong_key=bool(keys) and not reason)


def unlocked(
    kind: str, method: str, locator: Locator, part_id: str, plain: ByteSource, missing: int = 0, about: str = ""
) -> Layout:
    """The layout of an encrypted volume that was opened.

    ``plain`` is the plain text and ``part_id`` its id in the volume; ``missing`` bytes of the volume lie beyond the
    end of the source.
    """
    what = f"encrypted ({', '.join(filter(None, (kind, method)))})"
    part = Part(part_id, kind, 0, plain.size, f"decrypted {kind} volume", plain, found_state=UNLOCKED)
    doubts: tuple[Notice, ...] = ()
    if missing > 0:
        text = f"the source ends {missing} bytes before the end of the encrypted volume"
        doubts = (notice(NoticeKind.TRUNCATED, locator, text, ORIGIN),)
    return Layout(kind, "; ".join(filter(None, (what, about))), (part,), doubts, state=UNLOCKED)


def recovery_keys(keys: Keys) -> Iterator[str]:
    """The recovery keys, and passwords that have the form of one (eight groups of six digits)."""
    yield from keys.recovery_keys
    yield from (password for password in keys.passwords if _RECOVERY.fullmatch(password))


def key_file_contents(keys: Keys) -> Iterator[bytes]:
    """The contents of the key files; those that cannot be read or are far too large are passed over."""
    for path in keys.key_files:
        data = _content(path)
        if data:
            yield data


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
    except OSError:
        return b""
    return data if len(data) <= MAX_KEY_FILE else b""
