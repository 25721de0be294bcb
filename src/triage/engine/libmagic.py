"""libmagic, for what the signature table does not know: the library from the wheel with the wheel's own database.

Trying all of its tests takes about 0.5 ms a file. Content that is certainly no text and shows none of the bytes that
most tests ask for is tried with the short form of the database (see `magicdb`), which gives the same answer.
"""

import ctypes
import os
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Final

from triage.engine.magicdb import ShortDatabase, UnknownDatabase, shortened
from triage.engine.signatures import OCTETS

_NO_TEXT: Final = 0x20000 | 0x80000 | 0x200000
"""MAGIC_NO_CHECK_TEXT, _CSV and _ENCODING of ``magic.h``."""
_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
Reader = Callable[[bytes], str]


def type_by_libmagic(head: bytes) -> str:
    """MIME type that libmagic gives content beginning with ``head``; ``application/octet-stream`` if it knows none.

    The first call in a process loads the library and its database (about 50 ms).
    """
    whole, few, short = _readers()
    if short is not None and _is_no_text(head) and short.suffices(head):
        return few(head)
    return whole(head)


def type_by_all_tests(head: bytes) -> str:
    """As `type_by_libmagic`, but always with the whole database: what the short form is measured against."""
    return _readers()[0](head)


def compiled_database() -> bytes:
    """libmagic's compiled database out of the wheel."""
    return resources.files("pylibmagic").joinpath("magic.mgc").read_bytes()


def _is_no_text(head: bytes) -> bool:
    # In no encoding that libmagic knows does text hold a zero byte, save for zeros at the end and in what has a mark.
    return 0 in head.rstrip(b"\0") and not head.startswith(_WIDE_BOMS)


@cache
def _readers() -> tuple[Reader, Reader, ShortDatabase | None]:
    """By the whole database, by the short one, and when that suffices (`None`: never)."""
    # pylibmagic sets LD_LIBRARY_PATH and MAGIC for this process, and every program started from it would inherit them.
    before = dict(os.environ)
    import pylibmagic  # noqa: F401, I001 - must come first: it makes its library known to python-magic
    import magic

    for name in ("LD_LIBRARY_PATH", "LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "MAGIC"):
        if name in before:
            os.environ[name] = before[name]
        else:
            os.environ.pop(name, None)

    def reader(short: ShortDatabase | None) -> Reader:
        library = magic.Magic(mime=True, magic_file=str(resources.files("pylibmagic").joinpath("magic.mgc")))
        if short is not None:
            buffers, sizes = (ctypes.c_char_p * 1)(short.data), (ctypes.c_size_t * 1)(len(short.data))
            load = magic.libmagic.magic_load_buffers
            load.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
            if load(library.cookie, buffers, sizes, 1) or magic.magic_setflags(
                library.cookie, library.flags | _NO_TEXT
            ):
                raise UnknownDatabase("libmagic does not take the short database")

        def read(head: bytes) -> str:
            try:
                kind = str(library.from_buffer(head))
            except magic.MagicException:  # such as a malformed compound document; then it is not recognised
                return OCTETS
            return OCTETS if kind == "application/x-empty" or "/" not in kind else kind

        return read

    whole = reader(None)
    try:
        short = shortened(compiled_database())
        return whole, reader(short), short
    except UnknownDatabase:  # a later libmagic: slower, not wrong
        return whole, whole, None
