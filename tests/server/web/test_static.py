import gzip
import re
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from kit import serving

from vstats_server.web.static import FOLDER, files

INDEX = files()["/"]
MODULE = next(path for path in files() if path.endswith("/main.js"))
PATHS = ["/", MODULE, MODULE.replace("main.js", "style.css"), MODULE.replace("main.js", "icon.svg")]
KINDS = [
    "text/html; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/css; charset=utf-8",
    "image/svg+xml",
]


@pytest.mark.parametrize(("path", "kind"), list(zip(PATHS, KINDS, strict=True)))
async def test_each_file_is_served_with_its_kind_and_under_the_policy(path, kind):
    async with serving() as peers:
        status, headers, body = await peers.http(path)

    assert (status, headers["content-type"]) == (200, kind)
    assert int(headers["content-length"]) == len(body)
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5, br", "*", "GZIP"])
async def test_whoever_takes_gzip_gets_it(accepted):
    async with serving() as peers:
        _, plain, content = await peers.http("/")
        _, headers, body = await peers.http("/", headers={"Accept-Encoding": accepted})

    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == content
    assert headers["etag"] == plain["etag"]
    assert "content-encoding" not in plain


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity", "gzip;q=x", "*;q=0"])
async def test_whoever_does_not_take_gzip_gets_the_file_as_it_is(accepted):
    async with serving() as peers:
        _, headers, body = await peers.http("/", headers={"Accept-Encoding": accepted})

    assert "content-encoding" not in headers
    assert body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("form", ["{}", 'W/"other", {}', "*", "{strong}"])
async def test_what_a_browser_has_already_is_not_sent_again(form):
    async with serving() as peers:
        _, first, _ = await peers.http("/")
        known = form.format(first["etag"], strong=first["etag"].removeprefix("W/"))
        status, headers, body = await peers.http("/", headers={"If-None-Match": known})

    assert (status, body) == (304, b"")
    assert headers["etag"] == first["etag"]
    assert "content-length" not in headers
    assert headers["content-security-policy"] == first["content-security-policy"]


async def test_what_has_changed_is_sent():
    async with serving() as peers:
        status, _, body = await peers.http("/", headers={"If-None-Match": 'W/"older"'})

    assert status == 200
    assert body


async def test_the_page_is_asked_for_each_time_and_its_files_once():
    async with serving() as peers:
        assert (await peers.http("/"))[1]["cache-control"] == "no-cache"
        assert "immutable" in (await peers.http(MODULE))[1]["cache-control"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_the_page_is_only_read(method):
    async with serving() as peers:
        assert (await peers.http("/", method=method))[0] == 405


async def test_head_of_the_page_has_its_headers_and_no_body():
    async with serving() as peers:
        got = await peers.http("/")
        headed = await peers.http("/", method="HEAD")

    assert headed[2] == b""
    assert headed[1]["content-length"] == got[1]["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/page/main.js",
        "/page/",
        "/page/0123456789abcdef/main.js",
        MODULE + "/",
        MODULE.replace("main.js", "../../relay.py"),
        MODULE.replace("main.js", "..%2f..%2frelay.py"),
        "/page/../relay.py",
        "//page/main.js",
    ],
)
async def test_there_is_nothing_beside_the_files_of_the_page(path):
    async with serving() as peers:
        assert (await peers.http(path))[0] == 404


def test_the_page_asks_for_its_own_files_alone_and_has_no_code_in_it():
    text = INDEX.content.decode()
    asked = re.findall(r'(?:src|href)="([^"#]+)"', text)

    assert {f"/{path}" for path in asked if path != "api/hosts"} <= files().keys()
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?:", text)


def test_every_module_is_asked_for_at_once_and_not_one_after_the_other():
    text = INDEX.content.decode()
    loaded = set(re.findall(r'(?:modulepreload" href|module" src)="([^"]+\.js)"', text))

    assert {f"/{path}" for path in loaded} == {path for path in files() if path.endswith(".js")}


def test_no_file_of_the_page_can_make_markup_of_a_string_or_asks_for_anything_outside():
    for path in FOLDER.glob("*.js"):
        text = path.read_text()
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "://",
        ):
            assert word not in text.replace("http://www.w3.org/2000/svg", ""), (path.name, word)
    for path in FOLDER.glob("*.css"):
        assert "url(" not in path.read_text()
        assert "@import" not in path.read_text()


def test_the_page_is_small():
    assert len(files()) <= 30
    assert sum(len(file.compressed) for file in files().values()) < 50_000


def test_the_wheel_holds_the_page(tmp_path):
    (wheel,) = WheelBuilder(str(Path(__file__).parents[3])).build(
        directory=str(tmp_path), versions=["standard"]
    )

    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        f"vstats_server/web/page/{path.relative_to(FOLDER).as_posix()}"
        for path in FOLDER.rglob("*")
        if path.is_file()
    } <= names
