"""Encrypted volumes of other people's images: digests from their documentation and from other readers."""

import configparser
import gzip
import hashlib
import io
import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyluksde
import pytest

from triage.errors import CredentialError
from triage.evidence.entry import Entry, Evidence, Keys, OpenOptions, Volume, content
from triage.evidence.open import open_evidence
from triage.evidence.source import ByteSource
from triage.notices import NoticeKind

DISSECT = "pypi/dissect_fve-4.6/tests/_data"


def opened(path: Path, *passwords: str, recovery: str = "", files: tuple[Path, ...] = ()) -> Evidence:
    keys = Keys(passwords, (recovery,) if recovery else (), files)
    return open_evidence(path, path.name, OpenOptions(keys))


def unpacked(packed: Path, folder: Path) -> Path:
    opener = lzma.open if packed.suffix == ".xz" else gzip.open
    target = folder / packed.stem
    with opener(packed) as stream, target.open("wb") as file:
        while block := stream.read(1 << 20):
            file.write(block)
    return target


def sha256(source: ByteSource) -> str:
    digest = hashlib.sha256()
    for at in range(0, source.size, 1 << 20):
        digest.update(source.read_at(at, 1 << 20))
    return digest.hexdigest()


def decrypted(evidence: Evidence, volume: str) -> ByteSource:
    source = next(v.source for v in evidence.volumes if v.id == volume)
    assert source is not None
    return source


def assert_sealed(image: Path, volume: str, scheme: str) -> None:
    """Without a key the volume is locked and said to be encrypted; a wrong key is a clear error."""
    evidence = opened(image)
    state = next(v.state for v in evidence.volumes if v.id == volume)

    assert state == "locked"
    assert not evidence.file_systems()
    assert [(n.kind, n.source.volume) for n in evidence.notices] == [(NoticeKind.ENCRYPTED, volume)]
    assert f"encrypted ({scheme}" in evidence.notices[0].message
    with pytest.raises(CredentialError, match="no given password"):
        opened(image, "not the password")


@pytest.mark.parametrize("name", ["bitlk-aes-cbc-128", "bitlk-aes-xts-128", "bitlk-togo-aes-xts-128"])
def test_bitlocker_by_passphrase_and_by_recovery_key(name: str, real: Path, tmp_path: Path) -> None:
    facts = configparser.ConfigParser()
    facts.read(real / "derived/bitlk/dev-images.conf")
    image = unpacked(real / f"derived/bitlk/{name}.img.xz", tmp_path)

    by_password = opened(image, facts[name]["PW"])
    by_recovery = opened(image, recovery=facts[name]["RP"])

    assert sha256(decrypted(by_password, "bde")) == facts[name]["SHA256SUM"]
    assert sha256(decrypted(by_recovery, "bde")) == facts[name]["SHA256SUM"]
    assert by_password.volumes[0].state == "unlocked"
    assert facts[name]["RP_VMK_GUID"] in by_password.volumes[0].description
    assert_sealed(image, "", "BitLocker, aes-cbc-128" if "cbc" in name else "BitLocker, aes-xts-128")


def test_the_file_system_of_bitlocker_to_go_is_found_and_not_the_one_for_show(real: Path, tmp_path: Path) -> None:
    image = unpacked(real / "derived/bitlk/bitlk-togo-aes-xts-128.img.xz", tmp_path)

    assert {name: fs.type for name, fs in opened(image, "anaconda").file_systems().items()} == {"bde": "fat16"}


@pytest.mark.parametrize(
    ("name", "method"), [("aes-xts_128", "aes-xts-128"), ("aes_256_diffuser", "aes-cbc-256 with diffuser")]
)
def test_cut_bitlocker_images_open_and_say_how_much_is_missing(
    name: str, method: str, real: Path, tmp_path: Path
) -> None:
    image = unpacked(real / f"{DISSECT}/bde/{name}.bin.gz", tmp_path)

    evidence = opened(image, "password12!@")
    plain = decrypted(evidence, "bde")

    assert plain.read_at(3, 8) == b"NTFS    "
    assert f"encrypted (BitLocker, {method})" in evidence.volumes[0].description
    truncated = [n.message for n in evidence.notices if n.kind is NoticeKind.TRUNCATED]
    assert [f"the source ends {plain.size - image.stat().st_size} bytes" in text for text in truncated] == [True]
    assert_sealed(image, "", f"BitLocker, {method}")


def test_luks1_as_libluksde_decrypts_it(real: Path) -> None:
    image = real / "dfvfs/test_data/luks1.raw"
    reader = pyluksde.volume()
    reader.set_password("luksde-TEST")
    reader.open(str(image))
    expected = hashlib.sha256(reader.read_buffer_at_offset(reader.get_size(), 0)).hexdigest()

    evidence = opened(image, "luksde-TEST")

    assert sha256(decrypted(evidence, "luks")) == expected
    assert [(name, fs.type) for name, fs in evidence.file_systems().items()] == [("luks", "ext2")]
    assert_sealed(image, "", "LUKS1, aes-cbc-plain")


def test_files_in_a_luks_volume_can_be_read(real: Path) -> None:
    system = opened(real / "dfvfs/test_data/luks1.raw", "luksde-TEST").file_systems()["luks"]
    files = {e.path: e for e in system.walk() if isinstance(e, Entry) and e.type == "r"}

    assert files["/passwords.txt"].size == 116
    assert content(system, files["/passwords.txt"]).read_at(0, 5) == b"place"


@pytest.mark.parametrize(
    ("name", "scheme"), [("luks1/aes-ecb", "LUKS1, aes-ecb"), ("luks2/aes-xts-plain64", "LUKS2, aes-xts-plain64")]
)
def test_luks_of_both_versions(name: str, scheme: str, real: Path, tmp_path: Path) -> None:
    image = unpacked(real / f"{DISSECT}/{name}.bin.gz", tmp_path)

    plain = decrypted(opened(image, "password"), "luks")

    # The test image of 2 KiB: sectors filled with their number times two.
    assert plain.size == 2048
    assert [set(plain.read_at(n * 512, 512)) for n in range(4)] == [{0}, {1}, {2}, {3}]
    assert_sealed(image, "", scheme)


CRYPTSETUP = {
    "luks2 pbkdf2": ["--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"],
    "luks2 argon2i": ["--type", "luks2", "--pbkdf", "argon2i"],
    "luks2 large sectors": ["--type", "luks2", "--pbkdf", "argon2id", "--sector-size", "4096"],
    "luks2 sha512": ["--type", "luks2", "--pbkdf", "argon2id", "--hash", "sha512", "--cipher", "aes-cbc-essiv:sha256"],
    "luks1 sha1": ["--type", "luks1", "--hash", "sha1", "--pbkdf-force-iterations", "1000"],
}


@pytest.mark.parametrize("name", CRYPTSETUP)
def test_headers_that_cryptsetup_writes(name: str, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The key file decides; what matters is that the derived key is the one that the header's digest confirms."""
    image, key = tmp_path / "volume.img", tmp_path / "key"
    key.write_bytes(b"a key file\x00with any bytes\xff")
    with image.open("wb") as file:
        file.truncate(32 << 20)
    cheap = ["--pbkdf-memory", "1024", "--pbkdf-force-iterations", "4", "--pbkdf-parallel", "1"]
    options = CRYPTSETUP[name] + (cheap if any("argon" in word for word in CRYPTSETUP[name]) else [])
    if "cbc-essiv:sha256" in str(options):
        options += ["--key-size", "256"]
    command = [tool("cryptsetup"), "luksFormat", "--batch-mode", "--key-file", str(key), *options, str(image)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    evidence = opened(image, files=(key,))

    assert evidence.volumes[0].state == "unlocked"
    assert next(v for v in evidence.volumes if v.id == "luks").size < 32 << 20
    with pytest.raises(CredentialError):
        opened(image, "another")


def test_a_damaged_first_luks2_header_leaves_the_second(tmp_path: Path, tool: Callable[[str], str]) -> None:
    image, key = tmp_path / "volume.img", tmp_path / "key"
    key.write_bytes(b"secret")
    with image.open("wb") as file:
        file.truncate(32 << 20)
    options = ["--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]
    command = [tool("cryptsetup"), "luksFormat", "--batch-mode", "--key-file", str(key), *options, str(image)]
    subprocess.run(command, check=True, capture_output=True)
    with image.open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")

    assert opened(image, "secret").volumes[0].state == "unlocked"


def test_encrypted_apfs(real: Path) -> None:
    image = real / "dfvfs/test_data/apfs_encrypted.dmg"

    evidence = opened(image, "apfs-TEST")
    states: dict[str, Volume] = {v.id: v for v in evidence.volumes}
    system = evidence.file_systems()["p1/apfs1"]
    files = {e.path: e for e in system.walk() if isinstance(e, Entry)}

    assert states["p1/apfs1"].state == "unlocked"
    assert content(system, files["/passwords.txt"]).read_at(0, 5) == b"place"
    assert_sealed(image, "p1/apfs1", "APFS")


def test_a_key_for_one_of_two_volumes(real: Path, tmp_path: Path) -> None:
    """The two LUKS images of the set as partitions of one disk."""
    first = gzip.decompress((real / f"{DISSECT}/luks1/aes-ecb.bin.gz").read_bytes())
    second = (real / "dfvfs/test_data/luks1.raw").read_bytes()
    image = tmp_path / "both.dd"
    sector = bytearray(512)
    at = 1
    for slot, data in enumerate((first, second)):
        count = len(data) // 512
        entry = b"\0\0\0\0\x83\0\0\0" + at.to_bytes(4, "little") + count.to_bytes(4, "little")
        sector[446 + 16 * slot : 462 + 16 * slot] = entry
        at += count
    sector[510:] = b"\x55\xaa"
    image.write_bytes(bytes(sector) + first + second)

    evidence = opened(image, "luksde-TEST")

    assert {v.id: v.state for v in evidence.volumes if v.type != "unallocated"} == {
        "p1": "locked",
        "p2": "unlocked",
        "p2/luks": "unlocked",
    }
    assert [(n.kind, n.source.volume) for n in evidence.notices] == [(NoticeKind.ENCRYPTED, "p1")]
    assert list(evidence.file_systems()) == ["p2/luks"]


def test_key_material_reads_the_same_from_any_file_object(real: Path) -> None:
    """The adapter that libraries read through behaves as a file does."""
    from triage.evidence.filelike import SourceFile
    from triage.evidence.source import MemorySource

    data = (real / "dfvfs/test_data/luks1.raw").read_bytes()[:100_000]
    ours, theirs = SourceFile(MemorySource(data)), io.BytesIO(data)
    for offset, whence, size in ((0, 0, 10), (-5, 2, 10), (50, 1, 7), (99_990, 0, -1), (200_000, 0, 4)):
        assert ours.seek(offset, whence) == theirs.seek(offset, whence)
        assert ours.read(size) == theirs.read(size)
        assert ours.tell() == theirs.tell()
