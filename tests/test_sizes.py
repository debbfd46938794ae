"""Amounts of memory and of disk."""

import pytest

from prrt_estimators._sizes import limit_from_environment, parse_bytes


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2GB", 2e9),
        ("2 gib", 2**31),
        ("1.5k", 1500),
        ("500 MB", 5e8),
        ("1TiB", 2**40),
        ("7", 7),
        ("7B", 7),
        (12, 12),
        ("0", 0),
    ],
)
def test_amounts(text, amount):
    assert parse_bytes(text, "it") == amount


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 iB", "2,5GB", "much", "1e9", "nan", "2GBB"])
def test_what_is_no_amount(text):
    with pytest.raises(ValueError, match="it must be an amount"):
        parse_bytes(text, "it")


def test_a_limit_of_the_environment(monkeypatch):
    monkeypatch.delenv("A_LIMIT", raising=False)
    assert limit_from_environment("A_LIMIT", 5) == 5
    monkeypatch.setenv("A_LIMIT", "")
    assert limit_from_environment("A_LIMIT", 5) == 5
    monkeypatch.setenv("A_LIMIT", "1kB")
    assert limit_from_environment("A_LIMIT", 5) == 1000
