import hashlib
from base64 import b64encode

import pytest
from hypothesis import given, settings, strategies

from vstats_server import scrypt as module
from vstats_server.scrypt import ScryptHash, hash_password, normalize

# RFC 7914, section 12: password "pleaseletmein", salt "SodiumChloride", N 16384, r 8, p 1.
RFC_KEY = bytes.fromhex(
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
)


def text(parameters="ln=4,r=8,p=1", salt=b"s" * 16, key=b"k" * 32):
    return f"$scrypt${parameters}${plain(salt)}${plain(key)}"


def plain(data):
    return b64encode(data).decode().rstrip("=")


def test_a_password_fits_its_own_hash_alone(monkeypatch):
    monkeypatch.setattr(module, "LOG2_N", 4)
    stored = ScryptHash.parse(hash_password("correct horse"))

    assert stored.fits(b"correct horse")
    assert not stored.fits(b"correct horse ")
    assert not stored.fits(b"")


def test_the_hash_is_the_standards():
    stored = ScryptHash.parse(text("ln=14,r=8,p=1", b"SodiumChloride", RFC_KEY))

    assert stored.fits(b"pleaseletmein")


def test_a_hash_costs_what_owasp_recommends_and_the_same_password_gives_another_each_time():
    first, second = hash_password("x"), hash_password("x")

    assert first.startswith("$scrypt$ln=14,r=8,p=5$")
    assert first != second
    assert ScryptHash.parse(first).memory < 17 * 1024 * 1024


@pytest.mark.parametrize("typed", ["café", "cafe\u0301"], ids=["composed", "decomposed"])
def test_a_letter_that_can_be_typed_in_two_ways_is_one(typed, monkeypatch):
    monkeypatch.setattr(module, "LOG2_N", 4)
    stored = ScryptHash.parse(hash_password("café"))

    assert stored.fits(normalize(typed))


@given(
    strategies.integers(1, 16),
    strategies.integers(1, 16),
    strategies.integers(1, 16),
    strategies.binary(min_size=9, max_size=60),
    strategies.binary(min_size=17, max_size=60),
)
@settings(max_examples=50)
def test_what_is_written_is_read(log2_n, r, p, salt, key):
    stored = ScryptHash(log2_n, r, p, salt, key)

    assert ScryptHash.parse(str(stored)) == stored


@pytest.mark.parametrize(
    "bad",
    [
        *("", "secret", "$scrypt$", text()[1:], text() + "=", text() + " ", " " + text()),
        text().replace("scrypt", "argon2id"),
        *(text("ln=0,r=8,p=1"), text("ln=4,r=8"), text("ln=-4,r=8,p=1"), text("n=16,r=8,p=1")),
        text(salt=b""),
        text(key=b"short"),
        text()[:-30],
        text(key=b"k" * 32)[:-1] + "!",
        hashlib.sha256(b"x").hexdigest(),
    ],
)
def test_what_is_no_hash_is_refused_and_not_repeated(bad):
    with pytest.raises(ValueError, match=r"vstats-server password|cut short") as caught:
        ScryptHash.parse(bad)

    assert len(bad) < 10 or bad not in str(caught.value)


@pytest.mark.parametrize("parameters", ["ln=30,r=8,p=1", "ln=20,r=99,p=1", "ln=99,r=99,p=99"])
def test_a_hash_that_would_take_all_memory_is_refused(parameters):
    with pytest.raises(ValueError, match="over 256 MiB"):
        ScryptHash.parse(text(parameters))
