"""Devices are opened read-only, read in whole sectors, and tell exactly which sectors are bad."""

import errno
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from triage.errors import EvidenceError
from triage.evidence import files
from triage.evidence.containers import open_container
from triage.evidence.device import DeviceSource, is_device
from triage.evidence.entry import Keys
from triage.evidence.files import OpenFile
from triage.evidence.integrity import digest_media
from triage.evidence.source import UnreadableBytes
from triage.notices import NoticeKind

MEDIA = random.Random(11).randbytes(300 * 512)


@pytest.fixture
def loop(
    tmp_path: Path, tool: Callable[[str], str], lacking: Callable[[str], NoReturn]
) -> Iterator[Callable[[str], Path]]:
    attached: list[str] = []

    def attach(*options: str) -> Path:
        image = tmp_path / "loop.raw"
        image.write_bytes(MEDIA)
        done = subprocess.run(
            [tool("losetup"), "--find", "--show", *options, str(image)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            lacking(f"no loop devices here: {done.stderr.strip()}")
        attached.append(done.stdout.strip())
        return Path(attached[-1])

    yield attach
    for device in attached:
        subprocess.run(["losetup", "--detach", device], check=True)


def test_a_block_device_is_read_as_media(loop: Callable[..., Path]) -> None:
    device = loop("--read-only")
    container = open_container(device, Keys())

    assert container.type == "device"
    assert container.source.size == len(MEDIA)
    assert container.source.read_at(1000, 5000) == MEDIA[1000:6000]
    assert container.facts == {"sector_size": "512", "write_protected": "yes"}
    assert container.notices == ()
    container.source.close()


def test_a_device_that_could_be_written_to_is_remarked_on(loop: Callable[..., Path]) -> None:
    container = open_container(loop(), Keys())

    assert [kind for kind, _ in container.notices] == [NoticeKind.REMARK]
    assert container.facts["write_protected"] == "no"
    container.source.close()


def test_only_block_devices_are_devices(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert not is_device(tmp_path / "file")
    assert not is_device(tmp_path)
    assert not is_device(tmp_path / "absent")
    assert not is_device(Path("/dev/null"))
    with pytest.raises(EvidenceError, match="neither a regular file nor a block device"):
        open_container(Path("/dev/null"), Keys())


def test_bad_sectors_are_told_exactly_and_their_neighbours_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a drive that fails at hand, the system call is made to fail."""
    path = tmp_path / "drive"
    path.write_bytes(MEDIA)
    bad = {7, 8, 200}
    asked: list[tuple[int, int]] = []
    real_pread = os.pread

    def failing(descriptor: int, length: int, offset: int) -> bytes:
        asked.append((offset, length))
        if bad & set(range(offset // 512, -(-(offset + length) // 512))):
            raise OSError(errno.EIO, "Input/output error")
        return real_pread(descriptor, length, offset)

    source = DeviceSource(path, OpenFile(path), len(MEDIA), 512)
    monkeypatch.setattr(files.os, "pread", failing)

    assert source.read_at(6 * 512 + 5, 100) == MEDIA[6 * 512 + 5 : 6 * 512 + 105]
    assert source.read_at(9 * 512, 2000) == MEDIA[9 * 512 : 9 * 512 + 2000]
    with pytest.raises(UnreadableBytes) as caught:
        source.read_at(5 * 512, 5 * 512)
    assert (caught.value.offset, caught.value.length) == (7 * 512, 2 * 512)
    assert digest_media(source, ["md5"]).unreadable == ((7 * 512, 2 * 512), (200 * 512, 512))
    assert all(offset % 512 == 0 and length % 512 == 0 for offset, length in asked)
