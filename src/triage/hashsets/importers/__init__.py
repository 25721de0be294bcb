"""Importers: lists of known files in the formats that units exchange, recognised by content, as streams of entries.

One module per family of formats; `triage.hashsets.importers.detect` holds them in the order in which they are tried.
``docs/hash-set-formats.md`` says what is recognised by which content, what is read and what is not.
"""

from triage.hashsets.importers.detect import ListOptions, open_in_bulk, open_list

__all__ = ["ListOptions", "open_in_bulk", "open_list"]
