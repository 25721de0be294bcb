"""Parsers of referenced digests on real databases, against counts by SQL over the same rows."""

import base64
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from triage.engine.discover import discover
from triage.records import ReferencedFile
from triage.testing import accepts, plugin_file, run_plugin

CHATS = "ileapp/admin/test/cases/data/whatsApp/testdata.whatsApp.whatsAppMessages.josh_ios15_ffs.zip"
PLUGINS = [loaded.plugin for loaded in discover().loaded if ReferencedFile in loaded.plugin.yields]


def chat_database(real: Path) -> tuple[str, bytes]:
    with zipfile.ZipFile(real / CHATS) as members:
        (name,) = [name for name in members.namelist() if name.endswith("/ChatStorage.sqlite")]
        return f"/{name}", members.read(name)


def test_media_of_an_iphone_are_as_many_as_the_table_has_with_their_chats(real: Path, tmp_path: Path) -> None:
    path, content = chat_database(real)
    copy = tmp_path / "copy"
    copy.write_bytes(content)
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute(
            "SELECT Z_PK, ZVCARDNAME, ZFILESIZE, ZMEDIALOCALPATH FROM ZWAMEDIAITEM WHERE ZVCARDNAME IS NOT NULL "
            "ORDER BY Z_PK"
        ).fetchall()
    (plugin,) = [plugin for plugin in PLUGINS if plugin.id == "whatsapp.media_ios"]
    found = [
        record for record in run_plugin(plugin(), plugin_file(path, content)) if isinstance(record, ReferencedFile)
    ]

    assert len(found) == 2
    assert [(r.source.row, r.digest, r.size, r.path) for r in found] == [
        (row, base64.b64decode(digest).hex(), size, place) for row, digest, size, place in rows
    ]
    assert {str(record.conversation).rpartition("(")[2].rstrip(")") for record in found} == {
        "19198887386@s.whatsapp.net"
    }
    assert all("2023-05-" in record.recorded.iso() for record in found)  # type: ignore[union-attr]


def test_no_other_file_of_the_set_is_taken_for_one_that_names_digests(real: Path) -> None:
    taken = [
        (plugin.id, path.name)
        for path in sorted(path for path in real.rglob("*") if path.is_file())
        for plugin in PLUGINS
        if plugin.paths and not plugin.types and accepts(plugin(), plugin_file(f"/{path.relative_to(real)}", b""))
    ]

    assert taken == []
