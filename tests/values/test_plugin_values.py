"""Values of databases become text, numbers and digests, or say why they are missing."""

import pytest

from triage.plugin import hex_digest


@pytest.mark.parametrize(("stored", "algorithm"), [("AB" * 16, "md5"), ("ab" * 20, "sha1"), ("Ab" * 32, "sha256")])
def test_a_digest_is_given_in_lower_case(stored: str, algorithm: str) -> None:
    assert hex_digest(stored, algorithm) == stored.lower()


@pytest.mark.parametrize("stored", [None, "", "ab", "xy" * 16, "ab" * 17, b"ab" * 16, 7, "ab" * 1000])
def test_what_is_no_digest_is_an_error_that_shows_it_in_short(stored: object) -> None:
    with pytest.raises(ValueError, match=r"is not hex|is no md5 digest") as caught:
        hex_digest(stored, "md5")

    assert len(str(caught.value)) < 120
