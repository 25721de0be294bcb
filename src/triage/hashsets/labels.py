"""What the entries of a set say of their digests, as numbers."""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from triage.hashsets.schemes import ALERT, DISPOSITIONS, JOINED, Scheme

_MOST_LABELS: Final = 1 << 20
_MOST_TEXT: Final = 64 << 20


class Label(NamedTuple):
    """Raw categories that belong together, and what the scheme that was chosen makes of them."""

    categories: tuple[str, ...]
    disposition: str


class Labels:
    """What sets say of a digest: each combination of categories has a number; 0 is that of none."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, ...]] = [()]
        self.of_category: dict[str, int] = {"": 0}
        self._numbers: dict[tuple[str, ...], int] = {(): 0}
        self._length = 0

    def take(self, category: str) -> int:
        """The number for a single category."""
        number = self.of_category[category] = self._number((category,))
        return number

    def joined(self, numbers: Iterable[int]) -> int:
        """The number for all that several say together."""
        said = {category for number in numbers for category in self.texts[number]}
        return self._number(tuple(sorted(said)))

    def encoded(self, scheme: Scheme | None) -> bytes:
        """As they stand in the file: ``[disposition, category, …]`` each; without a scheme everything alerts."""
        labels = [(scheme.disposition(JOINED.join(each)) if scheme else ALERT, *each) for each in self.texts]
        return json.dumps(labels, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    def _number(self, label: tuple[str, ...]) -> int:
        number = self._numbers.get(label)
        if number is None:
            number = self._numbers[label] = len(self.texts)
            self.texts.append(label)
            self._length += sum(map(len, label))
            if number >= _MOST_LABELS or self._length > _MOST_TEXT:
                raise ValueError(
                    f"the lists have more than {number:,} different categories; what stands there is no category"
                )
        return number


def decode_labels(data: bytes, count: int) -> tuple[Label, ...]:
    """Inverse of `Labels.encoded`, for ``count`` labels.

    Raises:
        ValueError: that is not what stands there.
    """
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the categories are damaged: {error}") from error
    if not isinstance(value, list) or len(value) != count:
        raise ValueError("the categories are damaged: they are not as many as the header says")
    return tuple(_label(each) for each in value)


def _label(value: object) -> Label:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise ValueError("the categories are damaged: something else stands among them")
    if value[0] not in DISPOSITIONS:
        raise ValueError(f"the categories are damaged: {value[0]!r} is no disposition")
    return Label(tuple(value[1:]), value[0])
