"""LUKS volumes written from the specification, decryption of sectors, and what is said of volumes that stay closed."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes.disks import SECTOR, at, encrypt, kinds, luks1, luks2, search, states, table, toy

from triage.errors import CredentialError
from triage.evidence import bitlocker, corestorage, luks, partitions
from triage.evidence.entry import Keys, OpenOptions, Volume
from triage.evidence.layout import Structure
from triage.evidence.luks_header import HeaderError, read_luks1
from triage.evidence.sectors import CipherError, decryptor
from triage.evidence.source import MemorySource
from triage.locator import Locator

STRUCTURES: tuple[Structure, ...] = (bitlocker.detect, luks.detect, corestorage.detect, partitions.detect)
PLAIN = toy(40 * SECTOR)


def with_keys(*passwords: str, files: tuple[Path, ...] = ()) -> OpenOptions:
    return OpenOptions(Keys(passwords, (), files))


@pytest.mark.parametrize("mode", ["xts-plain64", "xts-plain", "cbc-plain64", "cbc-essiv:sha256", "ecb"])
def test_luks_opens_with_its_password(mode: str) -> None:
    found = search(luks1(PLAIN, b"secret", mode), *STRUCTURES, options=with_keys("wrong", "secret"))

    assert [(v.id, v.type, v.state) for v in found.volumes] == [
        ("", "media", "unlocked"),
        ("luks", "LUKS1", "unlocked"),
    ]
    assert found.volumes[1].source is not None
    assert found.volumes[1].source.read_at(0, len(PLAIN)) == PLAIN
    assert found.volumes[1].file_systems[0].locator.volume == "luks"
    assert found.notices == ()


def test_luks_stays_locked_without_a_key() -> None:
    found = search(luks1(PLAIN, b"secret"), *STRUCTURES)

    assert [(v.id, v.state, v.file_systems) for v in found.volumes] == [("", "locked", ())]
    assert kinds(found) == [("encrypted", "")]
    assert found.notices[0].message == "encrypted (LUKS1, aes-xts-plain64): not examined"


def test_a_wrong_key_for_all_is_an_error_that_names_the_volume_and_not_the_key() -> None:
    disk = at(200 * SECTOR, (0, table((0, 0x83, 10, 100))), (10 * SECTOR, luks1(PLAIN, b"secret")))

    with pytest.raises(CredentialError, match=r"disk p1 \(LUKS1\)") as caught:
        search(disk, *STRUCTURES, options=with_keys("not-this-one"))

    assert "not-this-one" not in str(caught.value)


def test_a_key_for_one_volume_leaves_the_other_locked() -> None:
    disk = at(
        300 * SECTOR,
        (0, table((0, 0x83, 10, 60), (0, 0x83, 100, 60))),
        (10 * SECTOR, luks1(PLAIN, b"first")),
        (100 * SECTOR, luks1(PLAIN, b"second")),
    )

    found = search(disk, *STRUCTURES, options=with_keys("second"))

    assert [s[:2] for s in states(found) if s[1] != "unallocated"] == [
        ("p1", "locked"),
        ("p2", "unlocked"),
        ("p2/luks", "unlocked"),
    ]
    assert kinds(found) == [("encrypted", "p1")]
    assert "no given key opens it" in found.notices[0].message


def test_keys_for_evidence_without_encryption_are_no_error() -> None:
    assert search(PLAIN, *STRUCTURES, options=with_keys("any")).notices == ()


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_luks_opens_with_a_key_file_with_and_without_a_line_end(tmp_path: Path, ending: bytes) -> None:
    key = b"\x00\xff binary key"
    file = tmp_path / "volume.key"
    file.write_bytes(key + ending)

    found = search(luks1(PLAIN, key), *STRUCTURES, options=with_keys(files=(tmp_path / "missing.key", file)))

    assert found.volumes[1].state == "unlocked"


def test_damaged_key_material_does_not_open() -> None:
    disk = bytearray(luks1(PLAIN, b"secret"))
    disk[8 * SECTOR + 10] ^= 1

    with pytest.raises(CredentialError):
        search(bytes(disk), *STRUCTURES, options=with_keys("secret"))


@pytest.mark.parametrize("length", [7, 100, 591, 8 * SECTOR + 100])
def test_a_cut_luks_header_stays_locked_or_unrecognised(length: int) -> None:
    found = search(luks1(PLAIN, b"secret")[:length], *STRUCTURES)

    assert found.volumes[0].state in ("locked", "unrecognised")
    assert found.notices


def test_absurd_luks_values_are_refused_before_any_work() -> None:
    disk = bytearray(luks1(PLAIN, b"secret"))
    disk[164:168] = b"\xff\xff\xff\xff"

    found = search(bytes(disk), *STRUCTURES, options=with_keys("secret"))

    assert found.volumes[0].state == "locked"
    assert "4294967295 iterations" in found.notices[0].message
    with pytest.raises(HeaderError):
        read_luks1(MemorySource(bytes(disk)))


def test_an_unknown_cipher_is_named_and_not_a_wrong_password() -> None:
    disk = bytearray(luks1(PLAIN, b"secret"))
    disk[8:40] = b"serpent".ljust(32, b"\0")

    found = search(bytes(disk), *STRUCTURES, options=with_keys("secret"))

    assert found.volumes[0].state == "locked"
    assert "not supported: serpent-xts-plain64" in found.notices[0].message


def test_a_luks2_header_that_lies_is_refused() -> None:
    area = json.dumps({"segments": {"0": {"type": "crypt"}}}).encode()
    for data in (
        b"LUKS\xba\xbe\x00\x02" + bytes(8184),
        b"LUKS\xba\xbe\x00\x02" + area,
        b"LUKS\xba\xbe\x00\x09" + bytes(600),
    ):
        found = search(data, *STRUCTURES, options=with_keys("secret"))

        assert found.volumes[0].state == "locked"
        assert kinds(found) == [("encrypted", "")]


GOOD_KDF = {"type": "argon2id", "time": 1, "memory": 64, "cpus": 1, "salt": "c2FsdHNhbHRzYWx0"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "no given key opens it"),
        ({"salt": "c2FsdA=="}, "key derivation"),
        ({"salt": "%%"}, "not base64"),
        ({"memory": 1 << 40}, "memory"),
        ({"memory": "lots"}, "not usable"),
        ({"time": -1}, "time"),
        ({"cpus": 10_000}, "lanes"),
        ({"type": "scrypt"}, "scrypt"),
    ],
)
def test_absurd_luks2_key_derivation_is_refused(change: dict[str, object], words: str) -> None:
    slot = {
        "type": "luks2",
        "key_size": 64,
        "af": {"type": "luks1", "stripes": 4, "hash": "sha256"},
        "area": {"type": "raw", "offset": "16384", "size": "4096", "encryption": "aes-xts-plain64", "key_size": 64},
        "kdf": GOOD_KDF | change,
    }
    segment = {"type": "crypt", "offset": "16384", "size": "dynamic", "iv_tweak": "0", "sector_size": 512}
    digest = {"type": "pbkdf2", "keyslots": ["0"], "segments": ["0"], "hash": "sha256", "iterations": 10}
    tree = {
        "keyslots": {"0": slot},
        "segments": {"0": segment | {"encryption": "aes-xts-plain64"}},
        "digests": {"0": digest | {"salt": "c2FsdA==", "digest": "ZGlnZXN0"}},
    }

    layout = luks.detect(MemorySource(luks2(tree)), Locator("disk"), with_keys("secret"))

    assert layout is not None
    assert layout.state == "locked"
    assert words in layout.notices[0].message


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=8))
def test_any_damage_to_a_luks_header_ends_in_a_state(damage: list[tuple[int, int]]) -> None:
    disk = bytearray(luks1(PLAIN, b"secret"))
    for place, value in damage:
        disk[place] = value
    # Iterations are plain numbers in the header: keep the ones that would only make the test slow small.
    disk[164:166] = b"\0\0"
    for slot in range(8):
        disk[208 + 48 * slot + 4 : 208 + 48 * slot + 6] = b"\0\0"

    volumes: tuple[Volume, ...] = ()
    try:
        volumes = search(bytes(disk), *STRUCTURES, options=with_keys("secret")).volumes
    except CredentialError:
        return

    assert volumes[0].state in ("locked", "unlocked", "unrecognised", "open")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 20), st.sampled_from([32, 64]))
def test_xts_is_the_same_as_the_librarys_own(first: int, count: int, size: int) -> None:
    key = bytes(range(100, 100 + size))
    plain = bytes(n % 251 for n in range(count * SECTOR))
    parts: list[bytes] = []
    for n in range(count):
        mode = modes.XTS((first + n).to_bytes(16, "little"))
        parts.append(Cipher(algorithms.AES(key), mode).encryptor().update(plain[n * SECTOR : (n + 1) * SECTOR]))

    assert decryptor("aes-xts-plain64", key)(b"".join(parts), first) == plain


def test_large_sectors_count_in_units_of_512_bytes() -> None:
    key, plain = bytes(range(64)), bytes(n % 253 for n in range(4 * 4096))

    assert decryptor("aes-xts-plain64", key, 4096)(encrypt(plain, key, "xts-plain64", 4096), 0) == plain
    assert decryptor("aes-cbc-plain64", key[:32], 4096)(encrypt(plain, key[:32], "cbc-plain64", 4096), 0) == plain


@pytest.mark.parametrize(
    ("name", "size"), [("aes-xts-plain64", 24), ("aes-cbc-plain64", 64), ("aes-lrw-benbi", 32), ("aes", 32), ("", 0)]
)
def test_what_cannot_be_decrypted_is_refused(name: str, size: int) -> None:
    with pytest.raises(CipherError):
        decryptor(name, bytes(size))


@pytest.mark.parametrize("unit", [1, 511, 512, 70_000, 300_000])
def test_decrypted_bytes_do_not_depend_on_how_they_are_read(unit: int) -> None:
    plain = bytes(n * 7 % 256 for n in range(700 * SECTOR))
    source = search(luks1(plain, b"s"), *STRUCTURES, options=with_keys("s")).volumes[1].source
    assert source is not None
    starts = range(0, source.size, max(unit, source.size // 50))

    assert all(source.read_at(start, unit) == plain[start : start + unit] for start in starts)


def test_a_bitlocker_signature_without_metadata_is_locked_and_says_why() -> None:
    found = search(at(1 << 20, (0, b"\xeb\x58\x90-FVE-FS-"), (510, b"\x55\xaa")), *STRUCTURES)

    assert found.volumes[0].state == "locked"
    assert "BitLocker" in found.notices[0].message
    assert kinds(found) == [("encrypted", "")]


def test_a_corestorage_header_without_metadata_is_locked_and_says_why() -> None:
    found = search(at(1 << 20, (8, b"\x01\x00"), (88, b"CS")), *STRUCTURES, options=with_keys("any"))

    assert kinds(found) == [("encrypted", "")]
    assert "FileVault 2" in found.notices[0].message


def test_keys_are_never_printed() -> None:
    options = OpenOptions(Keys(("secret",), ("111111-222222",)))

    assert "secret" not in repr(options)
    assert "111111" not in repr(options)
