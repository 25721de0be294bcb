"""What a scan does: a profile is the set of choices that a user makes with one word."""

from dataclasses import dataclass
from typing import Final

from triage.errors import UsageError


@dataclass(frozen=True, slots=True)
class Profile:
    """Choices of one kind of scan. ``window`` is the size in bytes of a piece of content during the single read."""

    name: str
    digests: tuple[str, ...] = ("md5", "sha1", "sha256")
    digest_raw_media: bool = False
    """Also digest media that carry no stored digest to compare with (raw images)."""
    perceptual: bool = False
    """Digest pictures perceptually even where no set holds such digests."""
    rank: bool = False
    """Score pictures by a model, so that those are seen first that are likeliest to matter."""
    carve: bool = False
    """Look for files in space that belongs to none."""
    window: int = 16 << 20
    most_hole_bytes: int = 4 << 30
    """Bytes of holes in one sparse file that are read as zeros for its digests; beyond, only what is stored is read."""


PROFILES: Final = {
    "triage": Profile("triage"),
    "full": Profile("full", digest_raw_media=True, perceptual=True, carve=True),
}


def profile(name: str) -> Profile:
    """The profile called ``name``.

    Raises:
        UsageError: there is none.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise UsageError(f"no profile is called {name!r}; there are: {', '.join(PROFILES)}") from None
