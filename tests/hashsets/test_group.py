"""Pictures that look alike are in one group, those that do not are not, and the numbers do not depend on chance."""

import numpy as np
import pytest

from triage.hashsets.group import groups


def flip(value: np.ndarray, *bits: int) -> np.ndarray:
    number = int.from_bytes(value.tobytes())
    for bit in bits:
        number ^= 1 << int(bit)
    return np.frombuffer(number.to_bytes(32), np.uint8)


def plain(values: np.ndarray, threshold: int) -> list[int]:
    """Group numbers by following neighbours, one by one."""
    numbers = [int.from_bytes(value.tobytes()) for value in values]
    group = [-1] * len(numbers)
    for start in range(len(numbers)):
        if group[start] < 0:
            group[start], waiting = max(group) + 1, [start]
            while waiting:
                here = waiting.pop()
                near = [at for at, each in enumerate(numbers)
                        if group[at] < 0 and (each ^ numbers[here]).bit_count() <= threshold]  # fmt: skip
                for at in near:
                    group[at] = group[start]
                waiting += near
    return group


@pytest.mark.parametrize("threshold", [0, 10, 31])
def test_groups_are_those_of_comparing_all_pairs(threshold: int) -> None:
    rng = np.random.default_rng(3)
    base = rng.integers(0, 256, (60, 32), dtype=np.uint8)
    values = np.stack([flip(base[rng.integers(60)], *rng.choice(256, rng.integers(0, 25), False)) for _ in range(400)])

    assert groups(values, threshold).tolist() == plain(values, threshold)


def test_the_same_holds_where_the_tables_are_used() -> None:
    rng = np.random.default_rng(4)
    base = rng.integers(0, 256, (5_000, 32), dtype=np.uint8)
    copies = np.stack([flip(value, *rng.choice(256, 28, False)) for value in base[:700]])

    assert groups(np.concatenate([base, copies])).tolist() == [*range(5_000), *range(700)]


def test_a_chain_is_one_group_though_its_ends_are_far_apart() -> None:
    start = np.zeros(32, np.uint8)
    chain = [flip(start, *range(30 * step)) for step in range(6)]

    assert groups(np.stack([chain[5], chain[0], chain[3], chain[1], chain[4], chain[2]])).tolist() == [0] * 6


def test_groups_are_numbered_as_their_first_members_stand() -> None:
    one, two = np.zeros(32, np.uint8), np.full(32, 255, np.uint8)

    assert groups(np.stack([two, one, two, one])).tolist() == [0, 1, 0, 1]
    assert groups(np.zeros((0, 32), np.uint8)).tolist() == []
