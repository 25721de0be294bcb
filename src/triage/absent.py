"""Why a value is missing. Evidence never gets a default: no 1970, no invented zero, no empty text for unknown."""

from enum import Enum


class Absent(Enum):
    """The reason for a missing value; legal wherever a record field allows it."""

    NOT_RECORDED = "not recorded"
    """The source has a place for the value and holds nothing there (NULL, 0 in a time field, an empty slot)."""
    NOT_APPLICABLE = "not applicable"
    """This kind of source has no such value (a creation time on ext2)."""
    UNREADABLE = "unreadable"
    """The bytes that hold the value could not be read."""
    UNPARSABLE = "unparsable"
    """The bytes were read and do not mean anything in the expected format."""

    def __str__(self) -> str:
        return self.value
