"""Content is recognised by its first bytes, whatever the name; and hostile heads never raise."""

import doctest
import io
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from triage.engine import signatures, sniff
from triage.engine.sniff import by_table

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize("module", [signatures, sniff])
def test_examples_in_the_documentation_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(out, kind)
    return out.getvalue()


def zipped(*names: str, stored: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if stored:
            archive.writestr("mimetype", stored)
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def iso_media(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(64)


def mp3_frames() -> bytes:
    frame = b"\xff\xfb\x90\x00" + bytes(413)  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes
    return frame * 3


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("AVIF", "image/avif"),
        ("ICO", "image/vnd.microsoft.icon"),
        ("JPEG2000", "image/jp2"),
    ],
)
def test_pictures_are_recognised(kind: str, expected: str) -> None:
    data = picture(kind)

    assert by_table(data, len(data)) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (iso_media(b"heic", b"mif1", b"heic"), "image/heic"),
        (iso_media(b"mif1", b"mif1", b"heic"), "image/heic"),
        (iso_media(b"isom", b"mp41"), "video/mp4"),
        (b"\0\0\x01\0ftypisom" + bytes(300), "video/mp4"),
        (iso_media(b"qt  "), "video/quicktime"),
        (iso_media(b"M4A "), "audio/x-m4a"),
        (iso_media(b"3gp4"), "video/3gpp"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
        (b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/x-wav"),
        (b"\x1a\x45\xdf\xa3\x9fB\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x9fB\x82\x88matroska", "video/x-matroska"),
        (b"OggS\0\x02" + bytes(22) + b"\x01\x13OpusHead", "audio/ogg"),
        (b"ID3\x04\0", "audio/mpeg"),
        (mp3_frames(), "audio/mpeg"),
        (b"#!AMR\n", "audio/amr"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "video/x-ms-asf"),
        ((b"\x47" + bytes(187)) * 4, "video/mp2t"),
        (b"BZh91AY&SY", "application/x-bzip2"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "application/x-7z-compressed"),
        (b"regf" + bytes(60), "application/x-windows-registry-hive"),
        (bytes(4) + b"\xef\xcd\xab\x89" + bytes(60), "application/x-ese-database"),
        (b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0", "application/vnd.microsoft.portable-executable"),
        (b"\x7fELF\x02\x01" + bytes(10) + b"\x02\0", "application/x-executable"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02", "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34", "application/x-java-applet"),
        (bytes(257) + b"ustar\x0000", "application/x-tar"),
        (b"<!DOCTYPE html><p>x", "text/html"),
        (b"\xef\xbb\xbf<html lang='sw'>", "text/html"),
        (b'<?xml version="1.0"?><a/>', "text/xml"),
        (b'<?xml version="1.0"?><!DOCTYPE plist><plist version="1.0">', "application/x-plist"),
        (SVG, "image/svg+xml"),
        (b'[{"id": 1}]', "application/json"),
        (b"{not json}", "text/plain"),
        (b"[section]\nkey=1", "text/plain"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", "text/vcard"),
        (b"#!/usr/bin/env python3\n", "text/x-script.python"),
        (b"#!/bin/sh -e\n", "text/x-shellscript"),
        ("habari za leo, rafiki – twende".encode(), "text/plain"),
        ("wide words".encode("utf-16"), "text/plain"),
        ("without any mark at all".encode("utf-16-le"), "text/plain"),
        ("caf\xe9 cr\xe8me".encode("latin-1"), "text/plain"),
        (b"MZ words that only begin like a program", ""),
        (b"BM words that only begin like a bitmap", ""),
        (b"\xff\xfb", ""),
        (b"\x01\x02\x03\x04 binary", ""),
    ],
)
def test_heads_are_recognised(head: bytes, expected: str) -> None:
    if not expected:
        assert by_table(head, len(head)) in {"", "text/plain"}
    else:
        assert by_table(head, len(head)) == expected


def test_a_zip_is_named_by_its_first_members_where_they_say_something() -> None:
    word = zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml")

    assert by_table(word, len(word)).endswith("wordprocessingml.document")
    assert by_table(zipped("[Content_Types].xml", "xl/workbook.xml"), 9).endswith("spreadsheetml.sheet")
    assert by_table(zipped("AndroidManifest.xml", "classes.dex"), 9) == "application/vnd.android.package-archive"
    assert by_table(zipped("META-INF/MANIFEST.MF"), 9) == "application/java-archive"
    assert by_table(zipped("a", stored="application/epub+zip"), 9) == "application/epub+zip"
    assert by_table(zipped("holiday.jpg"), 9) == "application/zip"


def test_a_database_is_recognised(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a") as database:
        database.execute("create table t(x)")
    database.close()

    assert by_table((tmp_path / "a").read_bytes(), 4096) == "application/vnd.sqlite3"


def test_empty_and_blank_content_cost_no_library() -> None:
    assert by_table(b"", 0) == "inode/x-empty"
    assert by_table(bytes(600) + b"\1" + bytes(600), 1201) == ""
    assert by_table(bytes(65_536), 1 << 30) == "application/octet-stream"


@settings(deadline=None)  # the first call loads libmagic
@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"MZ", b"PK\x03\x04", b"\xff\xfb", b"RIFF", b"\0\0\1\0", b"\xff\xfe", b"BM"]),
)
def test_any_bytes_have_a_type(data: bytes, start: bytes) -> None:
    head = start + data

    assert "/" in sniff.sniff(head, len(head))


def test_a_character_cut_at_the_end_of_the_head_is_still_text() -> None:
    assert by_table("é".encode() * 20_000, 40_000) == "text/plain"
    assert by_table(b"a" + "é".encode() * 8191 + b"\xc3", 40_000) == "text/plain"


@pytest.mark.parametrize("control", sorted(set(range(32)) - set(b"\a\b\t\n\v\f\r\x1b") | {127}))
def test_one_control_byte_among_the_first_16_kib_is_enough_to_be_no_text(control: int) -> None:
    words = b"habari " * 3000

    assert by_table(words, len(words)) == "text/plain"
    assert by_table(words[:16_383] + bytes([control]) + words, 40_000) == ""
    assert by_table(words[:16_384] + bytes([control]) + words, 40_000) == "text/plain"


def test_libmagic_comes_from_the_wheel_and_leaves_the_environment_alone() -> None:
    program = (
        "import os; before = dict(os.environ)\n"
        "from triage.engine.sniff import sniff\n"
        "import sys; assert 'magic' not in sys.modules\n"
        "kind = sniff(bytes.fromhex('1a01190002000500870075006164'), 14)\n"
        "assert 'magic' in sys.modules and dict(os.environ) == before\n"
        "print(kind)\n"
        "maps = open('/proc/self/maps').read().split() if os.path.exists('/proc') else []\n"
        "print(next((word for word in maps if 'libmagic' in word), ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    kind, library = done.stdout.splitlines()

    assert "/" in kind
    assert not library or "pylibmagic" in library
