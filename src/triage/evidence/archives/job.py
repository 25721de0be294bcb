"""One archive being read: what every reader is given, and the one way in which members are unpacked."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from triage.errors import EvidenceError
from triage.evidence.archives.decoders import Decoder, Undecodable, decode
from triage.evidence.archives.limits import ArchiveLimits, Budget
from triage.evidence.archives.member import Member, member_locator
from triage.evidence.archives.spool import Spool
from triage.evidence.archives.window import STEP, Window, stored_pieces
from triage.evidence.entry import Entry
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

ORIGIN: Final = "evidence.archives"
_FINE: Final = 64
_FINE_BYTES: Final = 16 << 20


class Fault(NamedTuple):
    """What is wrong with a member, before it is known where it stands."""

    kind: NoticeKind
    message: str


class Unpacked(NamedTuple):
    """What a member yields: its bytes as far as they could be had, their CRC-32, and what stopped them early.

    ``finished`` says that the stored stream came to the end that it names itself.
    """

    source: ByteSource
    size: int
    crc: int
    fault: Fault | None
    finished: bool


class Job:
    """An archive and the state of reading it. ``name`` is the archive's file name."""

    def __init__(
        self,
        source: ByteSource,
        name: str,
        locator: Locator,
        scratch: Path,
        limits: ArchiveLimits,
        passwords: tuple[str, ...],
        budget: Budget,
    ) -> None:
        self.source = source
        self.window = Window(source)
        self.name = name
        self.locator = locator
        self.limits = limits
        self.passwords = passwords
        self.budget = budget
        self._scratch = scratch
        self._spool: Spool | None = None
        self.stopped: Notice | None = None

    def notice(self, kind: NoticeKind, message: str, entry: Entry | None = None) -> Notice:
        """A notice about a member, or about the archive as a whole."""
        return notice(kind, member_locator(self.locator, entry) if entry else self.locator, message, ORIGIN)

    def reason(self, fault: Fault | None, entry: Entry) -> Notice | None:
        """The notice that a fault of a member becomes."""
        return None if fault is None else self.notice(fault.kind, fault.message, entry)

    def spool(self) -> Spool:
        """A new place for unpacked bytes; what the last one held is gone."""
        self.close()
        self._spool = Spool(self._scratch, self.limits.memory)
        return self._spool

    def close(self) -> None:
        """Give back the last member's bytes."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def unpack(self, decoder: Decoder, pieces: Iterable[bytes]) -> Unpacked:
        """Run stored bytes through a decoder until its stream ends, the bytes do, or a bound is reached."""
        spool = self.spool()
        allowance = self.budget.allowance()
        fault: Fault | None = None
        try:
            for piece in pieces:
                if _feed(decoder, piece, spool, allowance):
                    fault = Fault(NoticeKind.LIMIT, f"unpacked up to a bound: {self.budget.over()}")
                    break
                if decoder.eof:
                    break
        except Undecodable as problem:
            fault = Fault(problem.kind, f"stops at {spool.size:,} unpacked bytes: {problem}")
        except EvidenceError as problem:
            fault = Fault(NoticeKind.UNREADABLE, f"stops at {spool.size:,} unpacked bytes: {problem}")
        except OSError as problem:
            fault = Fault(
                NoticeKind.FAILED, f"stops at {spool.size:,} unpacked bytes: scratch folder: {problem.strerror}"
            )
        self.budget.charge(spool.size)
        return Unpacked(spool.source(), spool.size, spool.crc, fault, decoder.eof)

    def unpack_range(self, make: Callable[[], Decoder], offset: int, length: int) -> Unpacked:
        """Unpack stored bytes of the archive; of a damaged stream as much as can be had."""
        unpacked = self.unpack(make(), stored_pieces(self.window, offset, length))
        if unpacked.fault is not None and unpacked.fault.kind is NoticeKind.DAMAGED and length <= _FINE_BYTES:
            # A decoder that fails takes with it what was good in the last piece: again, in small pieces.
            self.budget.charge(-unpacked.size)
            unpacked = self.unpack(make(), stored_pieces(self.window, offset, length, _FINE))
        return unpacked

    def stop(self, members: int, claimed: int) -> Notice:
        """The one notice for all members that are not unpacked because the archive's bound is reached."""
        if self.stopped is None:
            message = (
                f"bound reached: {self.budget.bound}; {members:,} more members were not unpacked "
                f"({claimed:,} bytes by the archive's own account)"
            )
            self.stopped = self.notice(NoticeKind.LIMIT, message)
        return self.stopped

    def too_many(self) -> Notice:
        """The notice to end with at the bound of names."""
        return self.notice(NoticeKind.LIMIT, f"more than {self.limits.members:,} members: the rest is not listed")

    def failed(self, entry: Entry, fault: Fault) -> Member:
        """A member without content."""
        return Member(entry, None, self.notice(fault.kind, fault.message, entry))


def _feed(decoder: Decoder, piece: bytes, spool: Spool, allowance: int) -> bool:
    """Decode one piece into the spool; whether there is more than may be."""
    while True:
        data = decode(decoder, piece, min(16 * STEP, allowance - spool.size + 1))
        if spool.size + len(data) > allowance:
            spool.write(data[: allowance - spool.size])
            return True
        spool.write(data)
        if decoder.eof or decoder.needs_input:
            return False
        piece = b""
