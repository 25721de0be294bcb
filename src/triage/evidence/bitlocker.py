"""Volumes encrypted with BitLocker, through libbde. The only module that touches pybde.

The signature is at offset 3: ``-FVE-FS-``, or ``MSWIN4.1`` on BitLocker To Go, which has a FAT boot sector for show
and the identifier 4967d63b-2e29-4ad8-8399-f6a339e3d001 at offset 424. Reference: libyal, BitLocker Drive Encryption
(BDE) format.
"""

import uuid
from collections.abc import Iterator
from typing import Final

import pybde

from triage.evidence.encrypted import locked, recovery_keys, unlocked
from triage.evidence.entry import Keys, OpenOptions
from triage.evidence.filelike import LibrarySource, SourceFile
from triage.evidence.layout import Layout
from triage.evidence.source import ByteSource
from triage.locator import Locator

NAME: Final = "BitLocker"
_TO_GO: Final = uuid.UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le

_METHODS: Final = {
    0x8000: "aes-cbc-128 with diffuser",
    0x8001: "aes-cbc-256 with diffuser",
    0x8002: "aes-cbc-128",
    0x8003: "aes-cbc-256",
    0x8004: "aes-xts-128",
    0x8005: "aes-xts-256",
}
_PROTECTORS: Final = {
    0x0000: "clear key",
    0x0100: "TPM",
    0x0200: "startup key",
    0x0500: "TPM and PIN",
    0x0800: "recovery key",
    0x2000: "password",
}

Attempt = tuple[str, str]
"""Method of pybde that takes a credential, and the credential."""


def detect(source: ByteSource, locator: Locator, options: OpenOptions) -> Layout | None:
    """The BitLocker volume at the start of ``source``: unlocked by a given key or its own clear key, else locked."""
    head = source.read_at(0, 512)
    if not (head[3:11] == b"-FVE-FS-" or (head[3:11] == b"MSWIN4.1" and head[424:440] == _TO_GO)):
        return None
    try:
        volume = _open(source, None)
        method, about = _describe(volume)
    except OSError as error:
        reason = f"its metadata cannot be read: {str(error).partition('.')[0]}"
        return locked(NAME, "", locator, options.keys, reason=reason)
    for attempt in (None, *_attempts(options.keys)):
        try:
            opened = _open(source, attempt)
            if not opened.is_locked():
                plain = LibrarySource(opened, opened.get_size(), NAME)
                return unlocked(NAME, method, locator, "bde", plain, plain.size - source.size, about)
        except OSError:
            continue  # a key of the wrong form; libbde has no error of its own for that
    return locked(NAME, method, locator, options.keys, description=about)


def _open(source: ByteSource, attempt: Attempt | None) -> "pybde.volume":
    volume = pybde.volume()
    if attempt is not None:
        setter, value = attempt
        getattr(volume, setter)(value)
    volume.open_file_object(SourceFile(source))
    return volume


def _attempts(keys: Keys) -> Iterator[Attempt]:
    yield from (("set_password", password) for password in keys.passwords)
    yield from (("set_recovery_password", key) for key in recovery_keys(keys))
    yield from (("read_startup_key", str(path)) for path in keys.key_files)


def _describe(volume: "pybde.volume") -> tuple[str, str]:
    """Encryption method, and which keys would open it; the identifier tells which recovery key to look for."""
    number = int(volume.get_encryption_method())
    protectors = []
    for index in range(min(volume.get_number_of_key_protectors(), 64)):
        protector = volume.get_key_protector(index)
        kind = int(protector.type)
        protectors.append(f"{_PROTECTORS.get(kind, hex(kind))} {{{protector.identifier}}}")
    about = f"key protectors: {', '.join(protectors)}" if protectors else ""
    return _METHODS.get(number, f"method 0x{number:x}"), about
