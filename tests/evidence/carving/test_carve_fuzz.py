"""Whatever bytes stand behind a header, carving ends, within the source, and says nothing twice."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.evidence.carving.carve import carve
from triage.evidence.carving.found import Carved
from triage.evidence.source import MemorySource

HEADS = [
    b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"\xff\xd8\xff\xdb", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a\1\0\1\0\xf7",
    b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0", b"RIFF\x40\0\0\0WEBPVP8 ", b"RIFF\xff\0\0\0AVI LIST",
    b"\0\0\0\x18ftypheic", b"\0\0\0\x14ftypisom\0\0\0\0isom", b"\0\0\0\x08moov",
    b"\x1a\x45\xdf\xa3\x88\x42\x82\x84webm",
    b"\0\0\1\xba\x44\0\4\0\4\1\0\0\3\xf8", b"FLV\x01\1\0\0\0\x09\0\0\0\0", b"BM",
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    b"\xff\xd9", b"\xff\xda\0\x08\1\1\0\0?\0", b"IEND\xae\x42\x60\x82", b"mdat", b"G" * 400,
]  # fmt: skip
pieces = st.lists(st.one_of(st.sampled_from(HEADS), st.binary(max_size=80), st.just(bytes(512))), max_size=12)


def sound(data, results):
    files = [each for each in results if isinstance(each, Carved)]
    assert all(0 <= each.offset < each.offset + each.length <= len(data) for each in files)
    assert sorted({each.offset for each in files}) == [each.offset for each in files]
    covered = 0
    for each in files:
        assert each.offset >= covered
        if each.complete and each.checked:
            covered = each.offset + each.length


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pieces, st.sampled_from([1, 16, 512]))
def test_any_bytes_around_headers_are_survived(parts, step):
    data = b"".join(parts)

    sound(data, list(carve(MemorySource(data), step=step)))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_changed_bytes_in_whole_files_are_survived(media, data):
    sample = bytearray(media[data.draw(st.sampled_from(sorted(media)))].data)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(sample), 400) - 1))
        sample[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, sample[at] ^ 1]))
    cut = data.draw(st.integers(1, len(sample)))

    sound(sample[:cut], list(carve(MemorySource(bytes(sample[:cut])))))
