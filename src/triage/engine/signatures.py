"""The table of file signatures: what content is, told from its first bytes in a few microseconds.

Type names are those registered with IANA where there is one, else libmagic's, else ``application/x-…``.
Signatures are from each format's own specification; those of Windows artefacts from Microsoft's open specifications
([MS-SHLLINK], [MS-CFB]) and from the libyal format notes (regf, evtx, esedb, scca).
"""

import struct
from collections.abc import Callable
from typing import Final, TypeVar

_T = TypeVar("_T")
ZIP: Final = "application/zip"
OCTETS: Final = "application/octet-stream"
_DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

_FIXED: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0\x10\0\0\0CR", "image/x-canon-cr2"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
    (b"8BPS\0", "image/vnd.adobe.photoshop"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\xff\x0a", "image/jxl"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\x01\xba", "video/mpeg"),
    (b"\0\0\x01\xb3", "video/mpeg"),
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "text/rtf"),
    (b"%!PS", "application/postscript"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x04\x22\x4d\x18", "application/x-lz4"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/x-rar"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package"),
    (b"!<arch>\n", "application/x-archive"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\x37\x7f\x06\x82", "application/x-sqlite3-wal"),
    (b"\x37\x7f\x06\x83", "application/x-sqlite3-wal"),
    (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", "application/x-sqlite3-journal"),
    (b"bplist0", "application/x-bplist"),
    (b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", "application/x-ms-shortcut"),
    (b"ElfFile\0", "application/x-ms-evtx"),
    (b"regf", "application/x-windows-registry-hive"),
    (b"MAM\x04", "application/x-windows-prefetch"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"!BDN", "application/vnd.ms-outlook"),
    (b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (b"\xa1\xb2\xc3\xd4", "application/vnd.tcpdump.pcap"),
    (b"\x4d\x3c\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (b"\x0a\x0d\x0d\x0a", "application/x-pcapng"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"dex\n03", "application/x-dex"),
    (b"ANDROID BACKUP\n", "application/x-google-ab"),
    (b"EVF\x09\x0d\x0a\xff\0", "application/x-ewf"),
    (b"LUKS\xba\xbe", "application/x-luks"),
    (b"\xde\x12\x04\x95", "application/x-gettext-translation"),
    (b"\x95\x04\x12\xde", "application/x-gettext-translation"),
    (b"OTTO\0", "font/sfnt"),
    (b"ttcf\0", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\0\x01\0\0\0", "font/sfnt"),
    (b"PK\x05\x06", ZIP),
)

_LATER: Final = (
    (257, b"ustar", "application/x-tar"),
    (32_769, b"CD001", "application/x-iso9660-image"),
)
"""Signatures that stand far from the start: (offset, bytes, type)."""

_AT_FOUR: Final = {
    b"\xef\xcd\xab\x89": "application/x-ese-database",
    b"SCCA": "application/x-windows-prefetch",
}
"""Signatures at offset 4, all of four bytes."""


def _riff(head: bytes) -> str:
    return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/x-wav"}.get(head[8:12], "")


def _ebml(head: bytes) -> str:
    if b"webm" in head[:64]:
        return "video/webm"
    return "video/x-matroska" if b"matroska" in head[:64] else ""


def _ogg(head: bytes) -> str:
    return "video/ogg" if b"\x80theora" in head[:64] else "audio/ogg"


def _bzip2(head: bytes) -> str:
    return "application/x-bzip2" if head[3:4] in b"123456789" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90") else ""


def _bitmap(head: bytes) -> str:
    known = (12, 40, 52, 56, 64, 108, 124)  # sizes of all versions of the header that follows
    plausible = len(head) >= 18 and int.from_bytes(head[14:18], "little") in known
    return "image/bmp" if plausible else ""


def _portable_executable(head: bytes) -> str:
    at = int.from_bytes(head[60:64], "little")
    return "application/vnd.microsoft.portable-executable" if head[at : at + 4] == b"PE\0\0" else ""


def _elf(head: bytes) -> str:
    names = {1: "application/x-object", 2: "application/x-executable", 3: "application/x-sharedlib"}
    return names.get(int.from_bytes(head[16:18], "big" if head[5:6] == b"\x02" else "little"), "")


def _cafebabe(head: bytes) -> str:
    # A Java class has its version here (45 and up), a universal Mach-O the number of architectures.
    version = int.from_bytes(head[4:8], "big")
    return "application/x-mach-binary" if 0 < version < 40 else "application/x-java-applet"


def _icon(head: bytes) -> str:
    count = int.from_bytes(head[4:6], "little")
    # $UpCase of NTFS begins like one, but with 5 colour planes.
    plausible = 0 < count < 64 and head[9:10] == b"\0" and head[10:12] in (b"\0\0", b"\1\0") and len(head) >= 22
    plausible = plausible and 22 <= 6 + 16 * count <= _u32(head, 18)
    return "image/vnd.microsoft.icon" if plausible else ""


def _u32(head: bytes, at: int) -> int:
    return int.from_bytes(head[at : at + 4], "little")


def _zip(head: bytes) -> str:
    """A ZIP by the names of the first members that the head shows; plain ZIP where they say nothing."""
    if head[30:38] == b"mimetype" and len(head) > 38:
        name_length, extra_length = struct.unpack_from("<HH", head, 26)
        start = 30 + name_length + extra_length
        stated = head[start : start + min(_u32(head, 18), 80)]
        if stated.startswith(b"application/") and stated.isascii():
            return stated.decode().strip()
    if b"AndroidManifest.xml" in head:
        return "application/vnd.android.package-archive"
    if head[30:49] == b"[Content_Types].xml" or head[30:36] == b"_rels/":
        for folder, kind in ((b"word/", _DOCX), (b"xl/", _XLSX), (b"ppt/", _PPTX)):
            if folder in head:
                return kind
    return "application/java-archive" if head[30:39] == b"META-INF/" else ZIP


_BRANDS: Final = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"mif1": "image/heif",
    b"msf1": "image/heif-sequence",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/x-m4a",
    b"M4B ": "audio/x-m4a",
    b"M4V ": "video/x-m4v",
    b"crx ": "image/x-canon-cr3",
}
"""Major brands of ISO base media files (ISO/IEC 14496-12, 23008-12); all others are ``video/mp4``."""


def _iso_media(head: bytes) -> str:
    brand = head[8:12]
    if brand[:3] == b"3gp":
        return "video/3gpp"
    if brand[:3] == b"3g2":
        return "video/3gpp2"
    if brand == b"mif1":
        compatible = head[16 : min(int.from_bytes(head[:4], "big"), 128)]
        if b"heic" in compatible or b"heix" in compatible:
            return "image/heic"
        return "image/avif" if b"avif" in compatible else "image/heif"
    return _BRANDS.get(brand, "video/mp4")


_BIT_RATES: Final = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG-2 and 2.5, layer III
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG-1, layer III
)
_SAMPLE_RATES: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _mpeg_audio(head: bytes) -> str:
    """An audio frame whose own length leads to a second one; a lone sync pattern is too common to mean anything."""
    if len(head) < 8:
        return ""
    if head[1] & 0xF6 == 0xF0:
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        return "audio/aac" if length > 7 and head[length : length + 2] == head[:2] else ""
    version, layer, rate, sampling = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if head[1] < 0xE0 or version == 1 or layer != 1 or rate in (0, 15) or sampling == 3:
        return ""
    first = version == 3
    length = (144 if first else 72) * _BIT_RATES[first][rate] * 1000 // _SAMPLE_RATES[version][sampling]
    length += head[2] >> 1 & 1
    return "audio/mpeg" if head[length : length + 1] == b"\xff" and head[length + 1 : length + 2] == head[1:2] else ""


_REFINED: Final[tuple[tuple[bytes, Callable[[bytes], str]], ...]] = (
    (b"PK\x03\x04", _zip),
    (b"RIFF", _riff),
    (b"\x7fELF", _elf),
    (b"MZ", _portable_executable),
    (b"OggS", _ogg),
    (b"\x1a\x45\xdf\xa3", _ebml),
    (b"BZh", _bzip2),
    (b"BM", _bitmap),
    (b"\xca\xfe\xba\xbe", _cafebabe),
    (b"\0\0\x01\0", _icon),
    (b"\xff", _mpeg_audio),
)
"""Signatures at the start that need a second look: bytes, what the type is or ``""``."""

_ATOMS: Final = frozenset({b"moov", b"mdat", b"wide", b"pnot", b"skip", b"free"})


def _by_first_byte(table: tuple[tuple[bytes, _T], ...]) -> dict[int, tuple[tuple[bytes, _T], ...]]:
    firsts = {signature[0] for signature, _ in table}
    return {first: tuple(row for row in table if row[0][0] == first) for first in firsts}


_FIXED_BY_FIRST_BYTE: Final = _by_first_byte(_FIXED)
_REFINED_BY_FIRST_BYTE: Final = _by_first_byte(_REFINED)


def by_signature(head: bytes) -> str:
    """MIME type of content that starts with ``head``, or ``""`` if no signature decides.

    >>> by_signature(bytes.fromhex("ffd8ffe000104a464946"))
    'image/jpeg'
    >>> by_signature(b"plain words")
    ''
    """
    if not head:
        return ""
    first, fourth = head[0], head[4:8]
    for signature, kind in _FIXED_BY_FIRST_BYTE.get(first, ()):
        if head.startswith(signature):
            return kind
    if fourth == b"ftyp":
        return _iso_media(head)
    for signature, refine in _REFINED_BY_FIRST_BYTE.get(first, ()):
        if head.startswith(signature):
            return refine(head)
    for at, signature, kind in _LATER:
        if head.startswith(signature, at):
            return kind
    if fourth in _AT_FOUR:
        return _AT_FOUR[fourth]
    if fourth in _ATOMS and (int.from_bytes(head[:4], "big") >= 8 or head[:4] == b"\0\0\0\x01"):
        return "video/quicktime"
    if head[2:4] == b"\r\n" and len(head) > 16 and 0x0C <= head[1] <= 0x0F and fourth in (bytes(4), b"\1\0\0\0"):
        return "application/x-bytecode.python"
    transport_stream = first == 0x47 and len(head) > 565 and head[188] == head[376] == head[564] == 0x47
    return "video/mp2t" if transport_stream else ""
