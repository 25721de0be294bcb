"""The steps by which 7z packs, as decoders that feed one another.

References: 7-Zip's ``DOC/Methods.txt``; liblzma's LZMA2 chunks (``doc/lzma2`` of XZ Embedded) for `Filter`.
"""

import hashlib
import lzma
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from triage.evidence.archives.decoders import (
    Decoder,
    Deflate64,
    Lzma,
    OfLzma,
    Stored,
    Undecodable,
    bzip2,
    decode,
    deflate,
    zstandard,
)
from triage.evidence.archives.seven_header import Coder, Folder
from triage.notices import NoticeKind

AES: Final = 0x06F10701
_NAMES: Final = {
    0x0303011B: "BCJ2", 0x030401: "PPMd", 0xA: "ARM64", 0xB: "RISC-V", 0x04F71102: "Brotli", 0x04F71104: "LZ4",
    0x04F71105: "LZ5", 0x04F71106: "Lizard",
}  # fmt: skip
_FILTERS: Final = {
    0x03030103: lzma.FILTER_X86, 4: lzma.FILTER_X86, 0x03030205: lzma.FILTER_POWERPC, 5: lzma.FILTER_POWERPC,
    0x03030401: lzma.FILTER_IA64, 6: lzma.FILTER_IA64, 0x03030501: lzma.FILTER_ARM, 7: lzma.FILTER_ARM,
    0x03030701: lzma.FILTER_ARMTHUMB, 8: lzma.FILTER_ARMTHUMB, 0x03030805: lzma.FILTER_SPARC, 9: lzma.FILTER_SPARC,
}  # fmt: skip
_MOST_ROUNDS: Final = 22
_CHUNK: Final = 1 << 16


class KeyCache:
    """Keys by salt, rounds and password: making one takes half a million rounds of SHA-256."""

    def __init__(self) -> None:
        self._keys: dict[tuple[bytes, int, str], bytes] = {}

    def key(self, salt: bytes, rounds: int, password: str) -> bytes:
        """The key of a password."""
        found = self._keys.get((salt, rounds, password))
        if found is None:
            found = self._keys[salt, rounds, password] = _derive(salt, rounds, password.encode("utf-16-le", "replace"))
        return found


def _derive(salt: bytes, rounds: int, password: bytes) -> bytes:
    if rounds == 0x3F:
        return (salt + password)[:32].ljust(32, b"\0")
    state = hashlib.sha256()
    lead = salt + password
    for start in range(0, 1 << rounds, 4096):
        stop = min(start + 4096, 1 << rounds)
        state.update(b"".join([lead + number.to_bytes(8, "little") for number in range(start, stop)]))
    return state.digest()


class _Aes:
    """AES-256 in CBC mode without padding rules: what comes out is as long as what goes in, the next coder knows."""

    eof = False
    unused_data = b""

    def __init__(self, key: bytes, vector: bytes) -> None:
        cipher = Cipher(algorithms.AES(key), modes.CBC(vector.ljust(16, b"\0")))
        self._cipher: CipherContext = cipher.decryptor()
        self._out = Stored()

    @property
    def needs_input(self) -> bool:
        """See `Decoder.needs_input`."""
        return self._out.needs_input

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        return self._out.decompress(self._cipher.update(data) if data else b"", max_length)


class Filter(OfLzma):
    """One of liblzma's filters for machine code, or *delta*, on its own.

    liblzma runs filters only before a compressor. Given LZMA2 whose chunks are stored and not compressed, it is the
    filter alone that changes anything.
    """

    def __init__(self, options: dict[str, int], size: int) -> None:
        chain = [options, {"id": lzma.FILTER_LZMA2, "dict_size": _CHUNK}]
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain)
        self._left = size
        self._first = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        data = data[: self._left]
        self._left -= len(data)
        chunks = []
        for at in range(0, len(data), _CHUNK):
            part = data[at : at + _CHUNK]
            chunks.append(struct.pack(">BH", 1 if self._first else 2, len(part) - 1) + part)
            self._first = False
        if data and not self._left:
            chunks.append(b"\0")  # the end of LZMA2, without which a filter keeps its last bytes
        return self._decoder.decompress(b"".join(chunks), max_length)


class _Lzma2(OfLzma):
    def __init__(self, properties: bytes, size: int, memory: int) -> None:
        if len(properties) != 1 or properties[0] > 40:
            raise Undecodable("its LZMA2 properties are none")
        bits = properties[0]
        dictionary = 0xFFFFFFFF if bits == 40 else (2 | bits & 1) << bits // 2 + 11
        dictionary = min(dictionary, max(size, 4096))  # nothing refers further back than to the start
        if dictionary > memory:
            raise Undecodable(f"its dictionary of {dictionary:,} bytes is larger than allowed", NoticeKind.LIMIT)
        self._decoder = lzma.LZMADecompressor(
            lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": dictionary}]
        )

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        return self._decoder.decompress(data, max_length)


class Chain:
    """Decoders of which each feeds the next, the first from ``pieces``; ``read`` takes from the last."""

    def __init__(self, decoders: Sequence[Decoder], pieces: Iterator[bytes]) -> None:
        self._decoders = decoders
        self._pieces = pieces

    def read(self, most: int) -> bytes:
        """Between one byte and ``most``; nothing only at the end.

        Raises:
            EvidenceError: the stored stream is damaged or cannot be read.
        """
        return self._pull(len(self._decoders) - 1, most)

    def _pull(self, index: int, most: int) -> bytes:
        if index < 0:
            return next(self._pieces, b"")
        decoder = self._decoders[index]
        while not decoder.eof:
            fed = b""
            if decoder.needs_input:
                fed = self._pull(index - 1, _CHUNK)
                if not fed:
                    return b""
            out = decode(decoder, fed, most)
            if out:
                return out
        return b""


def order_of(folder: Folder) -> list[int] | None:
    """Indexes of the coders from the packed stream on; `None` if they are no simple chain (BCJ2 joins four)."""
    if len(folder.packed) != 1 or any(coder.inputs != 1 or coder.outputs != 1 for coder in folder.coders):
        return None
    fed_by = {output: fed for fed, output in folder.binds.items()}
    order = [folder.packed[0]]
    while order[-1] in fed_by:
        following = fed_by[order[-1]]
        if following in order or following >= len(folder.coders):
            return None
        order.append(following)
    return order if len(order) == len(folder.coders) and order[0] < len(folder.coders) else None


def unread(folder: Folder) -> str:
    """The name of what cannot be decoded in a folder, or empty."""
    for coder in folder.coders:
        if coder.method not in _MAKERS and coder.method not in _FILTERS and coder.method != AES:
            return _NAMES.get(coder.method, f"method {coder.method:x}")
    return "" if order_of(folder) else "several streams joined"


def encrypted(folder: Folder) -> bool:
    """Whether a password is needed."""
    return any(coder.method == AES for coder in folder.coders)


def chain(folder: Folder, pieces: Iterator[bytes], password: str | None, keys: KeyCache, memory: int) -> Chain:
    """What makes the stream of a folder, which is not `unread`, out of the ``pieces`` of its packed stream.

    Raises:
        Undecodable: properties of a coder make no sense.
    """
    order = order_of(folder) or []
    sizes = [folder.sizes[index] if index < len(folder.sizes) else 0 for index in order]
    coders = [folder.coders[index] for index in order]
    decoders = [_decoder(coder, size, password, keys, memory) for coder, size in zip(coders, sizes, strict=True)]
    return Chain(decoders, pieces)


def _decoder(coder: Coder, size: int, password: str | None, keys: KeyCache, memory: int) -> Decoder:
    if coder.method == AES:
        return _aes(coder.properties, password or "", keys)
    if coder.method in _FILTERS:
        return Filter({"id": _FILTERS[coder.method]}, size)
    return _MAKERS[coder.method](coder.properties, size, memory)


def _aes(properties: bytes, password: str, keys: KeyCache) -> Decoder:
    if len(properties) < 2:
        raise Undecodable("its AES properties are none")
    first, second = properties[0], properties[1]
    salt_length = (first >> 7 & 1) + (second >> 4)
    vector_length = (first >> 6 & 1) + (second & 15)
    rounds = first & 0x3F
    if len(properties) < 2 + salt_length + vector_length:
        raise Undecodable("its AES properties are cut off")
    if rounds > _MOST_ROUNDS and rounds != 0x3F:
        raise Undecodable(f"2^{rounds} rounds for its key are more than are made", NoticeKind.LIMIT)
    salt = properties[2 : 2 + salt_length]
    return _Aes(keys.key(salt, rounds, password), properties[2 + salt_length :][:vector_length])


def _delta(properties: bytes, size: int, memory: int) -> Decoder:  # noqa: ARG001 - the signature of all makers
    return Filter({"id": lzma.FILTER_DELTA, "dist": (properties[0] if properties else 0) + 1}, size)


_MAKERS: Final[dict[int, Callable[[bytes, int, int], Decoder]]] = {
    0: lambda _properties, _size, _memory: Stored(),
    0x030101: Lzma,
    0x21: _Lzma2,
    3: _delta,
    0x040108: lambda _properties, _size, _memory: deflate(),
    0x040109: lambda _properties, _size, _memory: Deflate64(),
    0x040202: lambda _properties, _size, _memory: bzip2(),
    0x04F71101: lambda _properties, _size, _memory: zstandard(),
}
