import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from vstats_server.access.cookies import LIFETIME, RENEWED_AFTER, Cookies

KEY = b"k" * 32


class Time:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


def request(*lines):
    return Request("/", Headers([("Cookie", line) for line in lines]))


def pair(set_cookie):
    return set_cookie.partition(";")[0]


def made(cookies):
    return pair(cookies.renewed(request()))


def test_a_cookie_is_known_again_and_by_another_server_of_the_same_key(time):
    cookie = made(Cookies(KEY, secure=False, now=time))
    time.now += 5

    assert Cookies(KEY, secure=False, now=time).age(request(cookie)) == 5


def test_no_script_and_no_other_site_can_use_it(time):
    cookie = Cookies(KEY, secure=False, now=time).renewed(request())

    assert cookie.partition("; ")[2].split("; ") == [
        "Path=/",
        f"Max-Age={LIFETIME}",
        "HttpOnly",
        "SameSite=Strict",
    ]


def test_with_tls_it_never_travels_without(time):
    cookie = Cookies(KEY, secure=True, now=time).renewed(request())

    assert cookie.startswith("__Host-")
    assert cookie.endswith("; Secure")


def test_it_is_found_among_others_and_in_any_line(time):
    cookies = Cookies(KEY, secure=False, now=time)
    cookie = made(cookies)

    assert cookies.age(request(f"a=b; {cookie};c=d")) == 0
    assert cookies.age(request("a=b", cookie)) == 0
    assert cookies.age(request(f"{cookies.name}=rubbish; {cookie}")) == 0


def test_another_key_makes_another_name_and_another_cookie(time):
    here, there = (Cookies(key, secure=False, now=time) for key in (KEY, b"other" * 8))

    assert here.name != there.name
    renamed = made(there).replace(there.name, here.name)
    assert here.age(request(renamed)) is None


def test_it_ends_after_its_lifetime_and_is_renewed_while_it_is_shown(time):
    cookies = Cookies(KEY, secure=False, now=time)
    cookie = made(cookies)

    time.now += RENEWED_AFTER - 1
    assert cookies.renewed(request(cookie)) is None
    time.now += 1
    assert cookies.age(request(pair(cookies.renewed(request(cookie))))) == 0
    time.now += LIFETIME - RENEWED_AFTER
    assert cookies.age(request(cookie)) == LIFETIME
    time.now += 1
    assert cookies.age(request(cookie)) is None


def test_it_is_good_when_the_clock_was_set_back(time):
    cookies = Cookies(KEY, secure=False, now=time)
    cookie = made(cookies)
    time.now -= 86400

    assert cookies.age(request(cookie)) is not None


def test_a_longer_life_cannot_be_written_into_it(time):
    cookies = Cookies(KEY, secure=False, now=time)
    name, _, value = made(cookies).partition("=")
    since, _, signature = value.partition(".")

    assert cookies.age(request(f"{name}={int(since) + 1}.{signature}")) is None


@pytest.mark.parametrize(
    "value",
    [
        *("", ".", "1.", "x" * 8000, "1.\u00e9", "1" * 20 + "." + "A" * 43, "-1." + "A" * 43),
        *("\u00b2." + "A" * 43, "1." + "A" * 43, "1." + "A" * 44, "1.A.A", '"1.A"'),
    ],
)
def test_rubbish_is_no_cookie(time, value):
    cookies = Cookies(KEY, secure=False, now=time)

    assert cookies.age(request(f"{cookies.name}={value}")) is None
