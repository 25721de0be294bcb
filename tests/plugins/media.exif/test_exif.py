"""Camera metadata is read from headers, with the basis of its times, and never by decoding pixels."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from triage_plugins.media_exif import MOST_PIXELS, PictureMetadata

from triage.absent import Absent
from triage.api import MediaMetadata, SkipFile, UnsupportedSchema
from triage.notices import NoticeKind
from triage.testing import check_golden, examine_file, plugin_file, run_plugin


def tags(**changes: object) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Example Works", "Pocket 3", "Firmware 1.2"
    exif[0x0132] = "2024:05:01 10:20:31"
    details = {0x9003: "2024:05:01 10:20:30", 0x9004: "2024:05:01 10:20:30", 0x9011: "+03:00"}
    place = {1: "S", 2: (IFDRational(1), IFDRational(17), IFDRational(2451, 100)), 3: "E", 4: (36.0, 49.0, 19.2)}
    place |= {7: (7.0, 20.0, 30.0), 29: "2024:05:01"}
    exif._ifds[0x8769] = details | changes.pop("details", {})
    exif._ifds[0x8825] = place | changes.pop("place", {})
    return exif


def picture(kind: str, exif: Image.Exif | None) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (48, 32), "teal").save(out, kind, **({"exif": exif} if exif is not None else {}))
    return out.getvalue()


def heic(exif: Image.Exif) -> bytes:
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64) + b"\0\0\0\6" + exif.tobytes() + bytes(64)


def tiff() -> bytes:
    """A grey picture of one strip with an Exif directory, which Pillow does not write into TIFF."""
    taken = b"2024:05:01 10:20:30\0"

    def directory(*entries: tuple[int, int, int, int]) -> bytes:
        packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<H", len(entries)) + packed + bytes(4)

    width, height = (256, 4, 1, 8), (257, 4, 1, 4)
    strip = [
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 200),
        (277, 3, 1, 1),
        (278, 4, 1, 4),
        (279, 4, 1, 32),
    ]
    main = directory(width, height, *strip, (0x8769, 4, 1, 160))
    exif = directory((0x9003, 2, len(taken), 240))
    content = (b"II*\0" + struct.pack("<I", 8) + main).ljust(160, b"\0") + exif
    return content.ljust(240, b"\0") + taken


def read(content: bytes, name: str = "/DCIM/a.jpg") -> list[MediaMetadata]:
    records = run_plugin(PictureMetadata(), plugin_file(name, content))
    return [record for record in records if isinstance(record, MediaMetadata)]


def test_statements_of_each_format_are_as_expected() -> None:
    records = [
        *read(picture("JPEG", tags()), "/DCIM/a.jpg"),
        *read(picture("PNG", tags()), "/DCIM/a.png"),
        *read(tiff(), "/DCIM/a.tif"),
        *read(heic(tags()), "/DCIM/a.heic"),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


def test_a_picture_that_states_nothing_yields_nothing() -> None:
    assert read(picture("JPEG", None)) == []
    assert read(picture("PNG", None)) == []


def test_without_an_offset_the_time_stays_wall_clock() -> None:
    (record,) = read(picture("JPEG", tags(details={0x9011: "about noon"})))

    assert record.taken.basis == "local"
    assert record.digitized.iso() == "2024-05-01T10:20:30"


@pytest.mark.parametrize(
    ("place", "latitude"),
    [
        ({2: (IFDRational(1, 0), IFDRational(0), IFDRational(0))}, Absent.UNPARSABLE),
        ({2: (91.0, 0.0, 0.0)}, Absent.UNPARSABLE),
        ({1: "X"}, Absent.UNPARSABLE),
        ({2: (0.0, 0.0, 0.0)}, 0.0),
        ({2: (1.0, 30.0, 0.0), 1: "N"}, 1.5),
    ],
)
def test_an_impossible_place_is_not_a_place(place: dict[int, object], latitude: float | Absent) -> None:
    (record,) = read(picture("JPEG", tags(place=place)))

    assert record.latitude == latitude


@pytest.mark.parametrize("side", [30_000, 50_000])
def test_a_picture_that_claims_to_be_enormous_costs_nothing_and_is_named(side: int) -> None:
    content = bytearray(picture("JPEG", tags()))
    at = content.find(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", side, side)
    result = examine_file(PictureMetadata(), plugin_file("/DCIM/a.jpg", bytes(content)))
    (found,) = result.found

    assert isinstance(found.record, MediaMetadata)
    assert (found.record.width, found.record.height) == (side, side)
    assert found.record.make == "Example Works"
    assert [one.kind for one in result.notices] == ([NoticeKind.LIMIT] if side * side > MOST_PIXELS else [])


@pytest.mark.parametrize("content", [picture("JPEG", tags())[:40], picture("PNG", None)[:30], b"II*\0" + b"\xff" * 60])
def test_a_broken_header_is_told(content: bytes) -> None:
    with pytest.raises(UnsupportedSchema):
        read(content)


@settings(max_examples=150)
@given(st.sampled_from([picture("JPEG", tags()), tiff(), picture("PNG", tags()), heic(tags())]), st.data())
def test_damaged_pictures_end_in_records_or_in_words(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(2, min(len(content), 600) - 1))] = data.draw(st.integers(0, 255))
    try:
        records = read(bytes(damaged))
    except (UnsupportedSchema, SkipFile) as reason:
        assert str(reason)
    else:
        assert len(records) <= 1
