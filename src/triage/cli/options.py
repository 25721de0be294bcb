"""Options that mean the same with every verb."""

import os
import sys
from enum import StrEnum
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from triage.errors import UsageError
from triage.evidence.entry import Keys, OpenOptions


class Format(StrEnum):
    """How a listing is written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


EvidencePath = Annotated[Path, typer.Argument(metavar="EVIDENCE", help="Image (first segment), device or folder.")]
CasePath = Annotated[Path, typer.Argument(metavar="CASE", help="Case folder made by `triage scan`.")]
FormatOption = Annotated[Format, typer.Option("--format", help="table, csv or jsonl; fields: docs/output-fields.md.")]
Passwords = Annotated[
    list[str],
    typer.Option("--password", metavar="TEXT", help="Password for encrypted volumes; `-` asks. Also TRIAGE_PASSWORD."),
]
RecoveryKeys = Annotated[
    list[str], typer.Option("--recovery-key", metavar="TEXT", help="Recovery key (BitLocker, FileVault).")
]
KeyFiles = Annotated[list[Path], typer.Option("--key-file", metavar="FILE", help="Key file (BitLocker .BEK, LUKS).")]
Operator = Annotated[str, typer.Option(help="Name for the custody log.")]
Shadows = Annotated[bool, typer.Option("--shadow-copies", help="Walk volume shadow copies too (what differs).")]


class Digests64(StrEnum):
    """What 64 hex digits are where a list does not say."""

    SHA256 = "sha256"
    PDQ = "pdq"


def open_options(passwords: list[str], recovery_keys: list[str], key_files: list[Path], shadows: bool) -> OpenOptions:
    """Credentials and choices for opening evidence; asks for a password where ``-`` was given.

    Raises:
        UsageError: a key file is missing, or a password should be asked for and there is no terminal.
    """
    words = [_ask() if word == "-" else word for word in passwords]
    named = os.environ.get("TRIAGE_PASSWORD")
    if named:
        words.append(named)
    for path in key_files:
        if not path.is_file():
            raise UsageError(f"key file {path} does not exist")
    return OpenOptions(Keys(tuple(words), tuple(recovery_keys), tuple(key_files)), shadows)


def _ask() -> str:
    if not sys.stdin.isatty():
        raise UsageError("--password - asks on a terminal and there is none; use TRIAGE_PASSWORD")
    return getpass("Password of the evidence: ")
