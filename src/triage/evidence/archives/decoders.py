"""Decompressors with one face, that of `bz2.BZ2Decompressor`: bounded output for every call."""

import bz2
import lzma
import struct
import sys
from typing import Final, Protocol, cast

from inflate64 import Inflater
from isal import igzip_lib

from triage.errors import EvidenceError
from triage.notices import NoticeKind

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_ISAL_ERROR: Final = cast("type[Exception]", igzip_lib.error)
_FAULTS: Final = (_ISAL_ERROR, OSError, EOFError, ValueError, lzma.LZMAError, zstd.ZstdError)
_SLICE: Final = 256  # stored bytes of Deflate64 at a time: its decoder has no bound of output, its ratio has


class Undecodable(EvidenceError):
    """A stored stream that cannot be decoded (further); ``kind`` says why."""

    def __init__(self, message: str, kind: NoticeKind = NoticeKind.DAMAGED) -> None:
        super().__init__(message)
        self.kind = kind


class Decoder(Protocol):
    """One stream being decoded."""

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""

    @property
    def unused_data(self) -> bytes:
        """Input behind the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most ``max_length`` bytes more."""


class Stored:
    """No compression; the stream ends where its input does."""

    eof = False
    unused_data = b""

    def __init__(self) -> None:
        self._kept = b""

    @property
    def needs_input(self) -> bool:
        """See `Decoder.needs_input`."""
        return not self._kept

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        data = self._kept + data if self._kept else data
        self._kept = data[max_length:]
        return data[:max_length] if self._kept else data


class Deflate64:
    """Deflate with a window of 64 KiB (zip method 9), which Windows writes for files of 2 GiB and more."""

    unused_data = b""

    def __init__(self) -> None:
        self._inflater = Inflater()
        self._input = b""
        self._output = b""

    @property
    def eof(self) -> bool:
        """See `Decoder.eof`."""
        return bool(self._inflater.eof) and not self._output

    @property
    def needs_input(self) -> bool:
        """See `Decoder.needs_input`."""
        return not self._input and not self._output

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        self._input += data
        while self._input and not self._output and not self._inflater.eof:
            piece, self._input = self._input[:_SLICE], self._input[_SLICE:]
            self._output = self._inflater.inflate(piece)
        if self._inflater.eof:
            self._input = b""
        out, self._output = self._output[:max_length], self._output[max_length:]
        return out


def decode(decoder: Decoder, data: bytes, most: int) -> bytes:
    """At most ``most`` bytes out of a decoder.

    Raises:
        Undecodable: the stream is damaged, or needs more memory than allowed.
    """
    try:
        return decoder.decompress(data, most)
    except _FAULTS as problem:
        if "emory" in str(problem):
            raise Undecodable(f"more memory is needed than allowed ({problem})", NoticeKind.LIMIT) from problem
        raise Undecodable(f"cannot be decoded ({problem})") from problem
    except MemoryError as problem:
        raise Undecodable("more memory is needed than there is", NoticeKind.LIMIT) from problem


def deflate() -> Decoder:
    """A raw Deflate stream (RFC 1951)."""
    return cast("Decoder", igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE))


def gzip() -> Decoder:
    """One gzip member, whose CRC-32 and size are compared."""
    return cast("Decoder", igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP))


def bzip2() -> Decoder:
    """One bzip2 stream."""
    return bz2.BZ2Decompressor()


def xz(memory: int) -> Decoder:
    """One stream in the formats xz or lzma (*alone*)."""
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=memory)


def zstandard() -> Decoder:
    """One Zstandard frame (RFC 8878); windows beyond 128 MiB are refused, as the format's own tool does by default."""
    return cast("Decoder", zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27}))


class OfLzma:
    """What decoders around one of liblzma have in common; what lies behind its stream is not theirs to give back."""

    unused_data = b""
    _decoder: lzma.LZMADecompressor

    @property
    def eof(self) -> bool:
        """See `Decoder.eof`."""
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        """See `Decoder.needs_input`."""
        return self._decoder.needs_input


class Lzma(OfLzma):
    """LZMA without a container, as zip and 7z hold it: the 5 bytes of properties, and a size known from elsewhere.

    A header of the *alone* format is put before it, so that the decoder knows the end and bounds its memory. The
    dictionary claimed is made no larger than the output, for nothing refers further back than that.
    """

    def __init__(self, properties: bytes, size: int | None, memory: int) -> None:
        if len(properties) < 5:
            raise Undecodable("its LZMA properties are incomplete")
        (dictionary,) = struct.unpack_from("<I", properties, 1)
        if size is not None:
            dictionary = min(dictionary, max(size, 4096))
        self._header = properties[:1] + struct.pack("<IQ", dictionary, (1 << 64) - 1 if size is None else size)
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=memory)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        header, self._header = self._header, b""
        return self._decoder.decompress(header + data if header else data, max_length)


class ZipLzma:
    """LZMA as zip method 14 holds it: version (2 bytes), length of the properties (2), properties, stream.

    Reference: APPNOTE.TXT 5.8.8.
    """

    unused_data = b""

    def __init__(self, size: int | None, memory: int) -> None:
        self._size = size
        self._memory = memory
        self._head = b""
        self._decoder: Lzma | None = None

    @property
    def eof(self) -> bool:
        """See `Decoder.eof`."""
        return self._decoder is not None and self._decoder.eof

    @property
    def needs_input(self) -> bool:
        """See `Decoder.needs_input`."""
        return self._decoder is None or self._decoder.needs_input

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        if self._decoder is None:
            self._head += data
            if len(self._head) < 9:
                return b""
            length = int.from_bytes(self._head[2:4], "little")
            if length != 5:
                raise Undecodable("its LZMA properties are of a wrong length")
            self._decoder = Lzma(self._head[4:9], self._size, self._memory)
            data = self._head[9:]
        return self._decoder.decompress(data, max_length)
