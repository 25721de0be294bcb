"""The only module that touches pytsk3 (The Sleuth Kit): what it returns is copied into typed tuples here.

Numbers of enumerations are those of TSK's ``tsk_fs.h``. pytsk3 reports errors of TSK as `OSError`.
Nothing here interprets; `triage.evidence.tsk_entry` does.
"""

import re
from collections.abc import Container, Iterator
from typing import Any, Final, NamedTuple

import pytsk3

from triage.errors import EvidenceError
from triage.evidence import ext_inodes
from triage.evidence.ext_inodes import InodeTables
from triage.evidence.mft_blocks import MftBlocks
from triage.evidence.source import ByteSource, UnreadableBytes

NAME_UNALLOCATED: Final = 2
META_UNALLOCATED: Final = 2
META_USED: Final = 4
ATTRIBUTE_NONRESIDENT: Final = 2
ATTRIBUTE_RESIDENT: Final = 4
ATTRIBUTE_ENCRYPTED: Final = 16
ATTRIBUTE_COMPRESSED: Final = 32
ATTRIBUTE_SPARSE: Final = 64
RUN_HOLE: Final = 1 | 2
"""A run that is stored nowhere: FILLER (its place in the run list was never seen) or SPARSE."""
RUN_ENCRYPTED: Final = 4
_META_LINK: Final = 6

DEFAULT_DATA: Final = 1
NTFS_ATTRIBUTE_LIST: Final = 32
NTFS_DATA: Final = 128
NTFS_INDEX_ROOT: Final = 144
HFS_DATA: Final = 4352

_NAME_LETTERS: Final = "-pcdbrlshwvV"
_META_LETTERS: Final = "-rdpcblshwvV"

# The order in which candidates are tried and, where several fit, listed. RAW and SWAP fit anything. YAFFS2 has no magic
# number: TSK guesses, and with its type named it accepts any input.
_CANDIDATES: Final = (
    pytsk3.TSK_FS_TYPE_NTFS_DETECT,
    pytsk3.TSK_FS_TYPE_FAT_DETECT,
    pytsk3.TSK_FS_TYPE_EXT_DETECT,
    pytsk3.TSK_FS_TYPE_FFS_DETECT,
    pytsk3.TSK_FS_TYPE_HFS_DETECT,
    pytsk3.TSK_FS_TYPE_ISO9660_DETECT,
)
_TYPES: Final = {
    int(pytsk3.TSK_FS_TYPE_NTFS): "ntfs",
    int(pytsk3.TSK_FS_TYPE_FAT12): "fat12",
    int(pytsk3.TSK_FS_TYPE_FAT16): "fat16",
    int(pytsk3.TSK_FS_TYPE_FAT32): "fat32",
    int(pytsk3.TSK_FS_TYPE_EXFAT): "exfat",
    int(pytsk3.TSK_FS_TYPE_EXT2): "ext2",
    int(pytsk3.TSK_FS_TYPE_EXT3): "ext3",
    int(pytsk3.TSK_FS_TYPE_EXT4): "ext4",
    int(pytsk3.TSK_FS_TYPE_HFS): "hfs+",
    int(pytsk3.TSK_FS_TYPE_ISO9660): "iso9660",
    int(pytsk3.TSK_FS_TYPE_FFS1): "ufs",
    int(pytsk3.TSK_FS_TYPE_FFS1B): "ufs",
    int(pytsk3.TSK_FS_TYPE_FFS2): "ufs",
}


# What a named tuple's own constructor calls, without its Python function: several of these are made for every name.
_new: Final = tuple.__new__


class Run(NamedTuple):
    """A run of an attribute, in blocks: place on disk, length, ``TSK_FS_ATTR_RUN_FLAG_*``, place in the attribute."""

    address: int
    length: int
    flags: int
    offset: int


class Attribute(NamedTuple):
    """A data attribute: type, id, raw name, size in bytes, ``TSK_FS_ATTR_*`` flags, runs."""

    type: int
    id: int
    name: bytes
    size: int
    flags: int
    runs: tuple[Run, ...]


class Meta(NamedTuple):
    """Metadata of a file: an inode, an MFT record, an entry of FAT.

    ``times`` are TSK's seconds and nanoseconds of modified, accessed, changed and created, one after the other.
    """

    address: int
    sequence: int
    type: str
    flags: int
    size: int
    mode: int
    uid: int
    gid: int
    links: int
    link: bytes
    times: tuple[int, int, int, int, int, int, int, int]


class Name(NamedTuple):
    """A name in a directory with what it leads to.

    ``meta`` is `None` if there is nothing or it belongs to another file; ``superseded`` says that the metadata at
    ``address`` has another sequence number than the name. ``file`` is for `NativeFileSystem.attributes_of`.
    """

    name: bytes
    type: str
    flags: int
    address: int
    meta: Meta | None
    superseded: bool
    file: object


class Problem(NamedTuple):
    """Something TSK could not do in a directory; ``unreadable`` if the bytes below it could not be had."""

    text: str
    unreadable: bool


def _reason(problem: OSError) -> str:
    """What TSK says, on one line and without the place in pytsk3 that passed it on."""
    return " ".join(re.sub(r"^\w+: \(tsk3\.\w+:\d+\) ", "", str(problem)).split())


class _Image(pytsk3.Img_Info):  # type: ignore[misc]  # untyped base
    """A `ByteSource` as TSK sees an image."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._retry = False
        self.mft: MftBlocks | None = None
        self.lost: list[tuple[int, int]] = []
        """Offset and length of reads that failed since it was last cleared."""
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def close(self) -> None:
        """Nothing to give back: the source belongs to the caller."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes for TSK. A failed read is noted, because TSK takes some failed reads for zeros and goes on.

        TSK first fills a block of its cache and, if that fails, asks again for what it needs of it.
        """
        if self.mft is not None:
            data = self.mft.of_range(offset, length)
            if data:
                self._retry = False
                return data
        if self._retry and self.lost and self.lost[-1][0] <= offset < sum(self.lost[-1]):
            self.lost.pop()
        self._retry = False
        try:
            return self._source.read_at(offset, length)
        except UnreadableBytes:
            self.lost.append((offset, length))
            self._retry = True
            return b""

    def get_size(self) -> int:
        """Bytes."""
        return self._source.size


def _attributes(file: Any, wanted: frozenset[int]) -> tuple[Attribute, ...]:
    found = []
    for attribute in file:
        info = attribute.info
        kind = info.type
        if kind in wanted:
            flags = info.flags
            runs: tuple[Run, ...] = ()
            if flags & ATTRIBUTE_NONRESIDENT:
                runs = tuple([_new(Run, (run.addr, run.len, run.flags, run.offset)) for run in attribute])
            found.append(_new(Attribute, (kind, info.id, info.name or b"", info.size, flags, runs)))
    return tuple(found)


def _meta(meta: Any) -> Meta:
    kind = meta.type
    letter = _META_LETTERS[kind] if 0 <= kind < len(_META_LETTERS) else "-"
    link = (meta.link or b"") if kind == _META_LINK else b""
    times = (
        meta.mtime, meta.mtime_nano, meta.atime, meta.atime_nano, meta.ctime, meta.ctime_nano, meta.crtime,
        meta.crtime_nano,
    )  # fmt: skip
    return _new(
        Meta,
        (meta.addr, meta.seq, letter, meta.flags, meta.size, meta.mode, meta.uid, meta.gid, meta.nlink, link, times),
    )


class NativeContent:
    """An open file of TSK; reads one attribute of it."""

    def __init__(self, image: _Image, file: Any, attribute: tuple[int, int] | None) -> None:
        self._image = image
        self._file = file
        self._attribute = attribute

    def read(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer where TSK knows no more.

        Raises:
            UnreadableBytes: TSK or the source below it failed.
        """
        self._image.lost.clear()
        try:
            if self._attribute is None:
                data: bytes = self._file.read_random(offset, length)
            else:
                data = self._file.read_random(offset, length, *self._attribute)
        except OSError as problem:
            raise UnreadableBytes(
                f"TSK cannot read the file's content: {_reason(problem)}", offset, length
            ) from problem
        if self._image.lost:
            at, size = self._image.lost[0]
            message = f"content lies in bytes that cannot be read ({size} at {at} of the volume)"
            raise UnreadableBytes(message, offset, length)
        return data


class NativeFileSystem:
    """An open file system of TSK."""

    def __init__(self, image: _Image, handle: Any, ext: InodeTables | None) -> None:
        self._image = image
        self._handle = handle
        info = handle.info
        self.type: str = _TYPES[int(info.ftype)]
        self.block_size: int = info.block_size
        self.block_count: int = info.block_count
        self.last_block: int = info.last_block
        self.root: int = info.root_inum
        self._first: int = info.first_inum
        self.orphans: int = info.last_inum
        """Address of the virtual directory ``$OrphanFiles``."""
        self.ext = ext if self.type.startswith("ext") else None
        """The inode tables of ext2, ext3 and ext4, if they could be found."""
        data = {"ntfs": (NTFS_DATA, NTFS_INDEX_ROOT), "hfs+": (HFS_DATA,)}.get(self.type, (DEFAULT_DATA,))
        self._wanted = frozenset(data)

    def keep_mft(self, blocks: MftBlocks) -> None:
        """Answer TSK out of ``blocks`` where it asks for bytes of the master file table."""
        self._image.mft = blocks

    def directory(self, address: int) -> Iterator[Name | Problem]:
        """The names in a directory, and each problem that TSK meets on the way."""
        image = self._image
        image.lost.clear()
        try:
            files = iter(self._handle.open_dir(inode=address))
        except OSError as problem:
            yield Problem(_reason(problem), bool(image.lost))
            return
        while True:
            if image.lost:
                where = ", ".join(f"{size} at {at}" for at, size in image.lost[:8])
                image.lost.clear()
                yield Problem(f"bytes of the volume cannot be read: {where}", True)
            try:
                file = next(files)
            except StopIteration:
                return
            except OSError as problem:
                yield Problem(_reason(problem), False)
                continue
            yield self._name(file)

    def _name(self, file: Any) -> Name:
        info = file.info
        name = info.name
        flags = name.flags
        address = name.meta_addr
        found = info.meta
        superseded = False
        if found is None and (address or not flags & NAME_UNALLOCATED):
            file, found, superseded = self._by_address(address, name.meta_seq)
        kind = name.type
        letter = _NAME_LETTERS[kind] if 0 <= kind < len(_NAME_LETTERS) else "-"
        if found is None:
            return Name(name.name or b"", letter, flags, address, None, superseded, None)
        return _new(Name, (name.name or b"", letter, flags, address, _meta(found), False, file))

    def resolved(self, name: bytes, kind: str, flags: int, address: int, sequence: int) -> Name:
        """A name that is known from elsewhere with what it leads to, as `directory` gives it."""
        file, found, superseded = self._by_address(address, sequence)
        meta = None if found is None else _meta(found)
        return Name(name, kind, flags, address, meta, superseded, file)

    def meta(self, address: int) -> Meta | None:
        """The metadata at ``address``; `None` if TSK cannot make sense of it."""
        try:
            return _meta(self._handle.open_meta(inode=address).info.meta)
        except OSError:
            return None

    def attributes_of(self, found: Name) -> tuple[Attribute, ...]:
        """The data attributes of what ``found`` leads to; none if TSK has none for it (its size and times stand)."""
        try:
            return _attributes(found.file, self._wanted)
        except OSError:
            return ()

    def _by_address(self, address: int, sequence: int) -> tuple[Any, Any, bool]:
        # Iterating a directory, TSK compares the sequence numbers of name and metadata as they are stored. Walking one,
        # as fls does, it knows that NTFS counts up when a record is freed and that others have none.
        try:
            file = self._handle.open_meta(inode=address)
        except OSError:
            return None, None, False
        meta = file.info.meta
        if meta is None:
            return None, None, False
        if self.type == "ntfs":
            stored = meta.seq
            if meta.flags & META_UNALLOCATED and stored > 0:
                stored -= 1
            if stored != sequence:
                return None, None, True
        return file, meta, False

    def unnamed(self, named: Container[int], allocated: bool) -> Iterator[Name | Problem]:
        """Metadata in use at addresses outside of ``named``, under made-up names; unallocated only, or all.

        ``named`` is looked at as the walk goes on, so it may grow. Yields nothing where addresses are no table (FAT).
        """
        if self.type not in ("ntfs", "ext2", "ext3", "ext4", "ufs"):
            return
        for address in range(self._first, self.orphans):
            if address in named or address == self.root or (self.ext is not None and not self.ext.has_type(address)):
                continue
            try:
                file = self._handle.open_meta(inode=address)
            except OSError:
                continue
            meta = _meta(file.info.meta)
            free = meta.flags & META_UNALLOCATED
            if meta.type == "-" or not meta.flags & META_USED or not (free or allocated):
                continue
            yield Name(b"OrphanFile-%d" % address, "-", NAME_UNALLOCATED if free else 0, address, meta, False, file)

    def attributes(self, address: int) -> tuple[Attribute, ...]:
        """The data attributes of the file at ``address``.

        Raises:
            EvidenceError: there is no such file.
        """
        try:
            return _attributes(self._handle.open_meta(inode=address), self._wanted)
        except OSError as problem:
            raise EvidenceError(f"metadata address {address} cannot be opened: {_reason(problem)}") from problem

    def content(self, address: int, attribute: tuple[int, int] | None) -> NativeContent:
        """The content of the file at ``address``: attribute (type, id), or the default one.

        Raises:
            EvidenceError: there is no such file.
        """
        try:
            return NativeContent(self._image, self._handle.open_meta(inode=address), attribute)
        except OSError as problem:
            raise EvidenceError(f"metadata address {address} cannot be opened: {_reason(problem)}") from problem


def open_all(source: ByteSource) -> list[NativeFileSystem]:
    """Every file system of a supported type that TSK opens at offset 0 of ``source``.

    Each type is tried by itself: asked to detect, TSK refuses a source that two types fit.
    """
    ext = ext_inodes.locate(source)
    image = _Image(source if ext is None else ext_inodes.TskView(ext))
    found = []
    for candidate in _CANDIDATES:
        try:
            handle = pytsk3.FS_Info(image, offset=0, type=candidate)
        except OSError:
            continue
        if int(handle.info.ftype) in _TYPES:
            found.append(NativeFileSystem(image, handle, ext))
    return found
