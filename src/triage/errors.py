"""The errors that reach a user, each with the exit code that the command line ends with.

::

    TriageError                     1   something went wrong; the message says what and where
    ├── UsageError                  2   the command cannot mean that
    ├── EvidenceError               4   evidence cannot be opened or read
    │   ├── UnsupportedEvidence     4   nothing here recognises it
    │   └── CredentialError         5   a password, recovery key or key file was given and does not fit
    └── CaseError                   6   the case folder is not usable
        └── IntegrityError          7   something stored is not what was stored

Doubts about single files are not errors but notices, see `triage.notices`.
"""

from typing import ClassVar

COMPLETE = 0
INCOMPLETE = 3
"""Exit code of a run that finished and says itself that something was not examined."""


class TriageError(Exception):
    """Base of all errors with a sentence for the user."""

    exit_code: ClassVar[int] = 1


class UsageError(TriageError):
    """The options or arguments contradict each other or name something that does not exist."""

    exit_code = 2


class EvidenceError(TriageError):
    """Evidence cannot be opened or read; the message names the path and, where known, the offset."""

    exit_code = 4


class UnsupportedEvidence(EvidenceError):
    """No container, volume or file system was recognised."""


class CredentialError(EvidenceError):
    """A credential was given for an encrypted volume or container and does not open it."""

    exit_code = 5


class CaseError(TriageError):
    """The case folder cannot be created, read or continued."""

    exit_code = 6


class IntegrityError(CaseError):
    """A digest, a chain link or a signature does not match what it covers."""

    exit_code = 7


class SkipFile(Exception):
    """A file is not read further because of a limit; ends as *skipped*, with the text as notice. Plugins raise it."""


class UnsupportedSchema(Exception):
    """A file of the expected kind is in an unknown version; ends as *failed*, with the text. Plugins raise it."""
