"""The server's certificate: which files will do, and renewing it under way."""

import asyncio
import ssl
import subprocess
import warnings

import pytest
from certificates import Authority
from tools import program

from vstats_core.errors import ConfigError
from vstats_server.config import TLS
from vstats_server.net.certificate import Certificate, load


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def pair(files):
    certificate, key = files
    return TLS(certificate=certificate, key=key)


def complaint(tls):
    with pytest.raises(ConfigError) as caught:
        load(tls)
    return str(caught.value)


def shaken(server, trust, name="localhost", **client):
    """Shake hands in memory; return the client's end."""
    for key, value in client.items():
        setattr(trust, key, value)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = trust.wrap_bio(to_client, to_server, server_hostname=name)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (here, there) * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert here.version()
    return here


def serial(link):
    return link.getpeercert()["serialNumber"]


def test_a_good_pair_is_used(authority):
    context, _ = load(pair(authority.sign("localhost")))

    link = shaken(context, authority.trust())

    assert link.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)
    assert link.version() == "TLSv1.3"


def test_nothing_older_than_tls_1_2_is_spoken(authority):
    context, _ = load(pair(authority.sign()))

    latest = shaken(context, authority.trust(), maximum_version=ssl.TLSVersion.TLSv1_2)
    assert latest.version() == "TLSv1.2"
    old = authority.trust()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL"):
        shaken(context, old)


def test_a_client_that_would_rather_speak_http_2_is_told_otherwise(authority):
    context, _ = load(pair(authority.sign()))
    browser = authority.trust()
    browser.set_alpn_protocols(["h2", "http/1.1"])

    assert shaken(context, browser).selected_alpn_protocol() == "http/1.1"


async def test_a_renewed_certificate_is_for_new_connections(authority, caplog):
    tls = pair(authority.sign())
    certificate = await asyncio.to_thread(Certificate, tls)
    before = shaken(certificate.context, authority.trust())

    authority.sign()
    await certificate.renew(tls)

    after = shaken(certificate.context, authority.trust())
    assert serial(before) != serial(after)
    assert certificate.warning == ""
    assert f"certificate renewed from {tls.certificate}" in caplog.messages


async def test_a_client_that_names_no_server_gets_the_renewed_certificate_too(authority):
    tls = pair(authority.sign())
    certificate = await asyncio.to_thread(Certificate, tls)
    nameless = authority.trust()
    nameless.check_hostname = False
    before = shaken(certificate.context, nameless, name=None)

    authority.sign()
    await certificate.renew(tls)

    assert serial(shaken(certificate.context, nameless, name=None)) != serial(before)


async def test_a_certificate_may_be_renewed_with_a_key_of_another_kind(authority):
    from trustme import KeyType  # noqa: PLC0415 - of this test alone

    tls = pair(authority.sign(key_type=KeyType.RSA))
    certificate = await asyncio.to_thread(Certificate, tls)
    # Either would suit this client: the old one must not be found any more.
    trust = authority.trust()
    before = shaken(certificate.context, trust, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert "RSA" in before.cipher()[0]

    authority.sign(key_type=KeyType.ECDSA)
    await certificate.renew(tls)

    after = shaken(certificate.context, trust, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert "ECDSA" in after.cipher()[0]


async def test_a_renewal_without_a_change_is_no_news(authority, caplog):
    tls = pair(authority.sign())
    certificate = await asyncio.to_thread(Certificate, tls)

    await certificate.renew(tls)

    assert caplog.messages == []


async def test_a_pair_that_has_become_bad_keeps_the_old_one_until_it_is_good_again(
    authority, caplog
):
    tls = pair(authority.sign())
    certificate = await asyncio.to_thread(Certificate, tls)
    before = serial(shaken(certificate.context, authority.trust()))
    good = tls.key.read_bytes()
    authority.sign(stem="other")
    tls.key.write_bytes((authority.folder / "other-key.pem").read_bytes())

    await certificate.renew(tls)
    assert serial(shaken(certificate.context, authority.trust())) == before
    assert "cannot be used" in certificate.warning
    assert str(authority.folder) not in certificate.warning  # anybody may read it
    (line,) = caplog.messages
    assert line == (
        f"{tls.key}: is not the key of the (first) certificate in {tls.certificate}; "
        "the certificate in use stays"
    )

    tls.key.write_bytes(good)
    await certificate.renew(tls)
    assert certificate.warning == ""


def test_a_file_that_is_not_there_is_named(authority):
    certificate, key = authority.sign()
    key.unlink()
    assert complaint(pair((certificate, key))) == f"{key}: No such file or directory"

    certificate.unlink()
    assert complaint(pair((certificate, key))) == f"{certificate}: No such file or directory"


def test_files_the_wrong_way_round_are_told(authority):
    certificate, key = authority.sign()

    assert complaint(pair((key, certificate))).startswith(f"{key}: holds no certificate in PEM")
    assert complaint(pair((certificate, certificate))).startswith(
        f"{certificate}: holds no private key in PEM"
    )


def test_a_chain_that_does_not_begin_with_its_own_certificate_is_told(authority):
    certificate, key = authority.sign()
    certificate.write_bytes(authority.file.read_bytes() + certificate.read_bytes())

    assert "is not the key of the (first) certificate" in complaint(pair((certificate, key)))


@pytest.mark.parametrize("form", ["pkcs8", "traditional"])
def test_a_key_with_a_passphrase_is_told_and_nobody_is_asked(authority, form):
    certificate, key = authority.sign()
    more = ["-traditional"] if form == "traditional" else []
    locked = authority.folder / "locked.pem"
    command = [
        program("openssl"),
        "pkey",
        "-in",
        key,
        "-out",
        locked,
        "-aes128",
        "-passout",
        "pass:x",
    ]
    subprocess.run([*command, *more], check=True, capture_output=True)

    text = complaint(pair((certificate, locked)))

    assert text.startswith(f"{locked}: has a passphrase, and nobody is there to type it")
    command = text.partition("run: ")[2].replace("NEW", str(key)).split()
    subprocess.run([*command, "-passin", "pass:x"], check=True, capture_output=True)
    load(pair((certificate, key)))


def test_a_key_that_everybody_may_read_is_refused_with_the_command_that_mends_it(authority):
    certificate, key = authority.sign()
    key.chmod(0o644)

    text = complaint(pair((certificate, key)))

    assert text.endswith(f"it holds a private key; run: chmod o-rwx {key}")


def test_a_certificate_that_is_cut_short_is_named(authority):
    certificate, key = authority.sign()
    certificate.write_bytes(certificate.read_bytes()[:200])

    assert complaint(pair((certificate, key))).startswith(f"{certificate}: cannot be used with")


def test_both_may_be_in_one_file(authority):
    certificate, key = authority.sign()
    key.write_bytes(key.read_bytes() + certificate.read_bytes())

    assert load(pair((key, key)))
