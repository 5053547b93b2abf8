"""``install`` and ``uninstall``, on a Debian that has just been installed."""

import json
import os
import pty
import re
import subprocess

import pytest
from machine import PROMPT, until

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]

SERVER = "/opt/vstats/bin/vstats-server"
AGENT = "/opt/vstats/bin/vstats-agent"
TWO_COMMANDS = (f"{SERVER} install", f"{SERVER} hosts add 'Web 1' | {AGENT} install")

WANTS = ("system/multi-user.target.wants", "system/sockets.target.wants")
"""Folders that systemd leaves behind."""

HOSTS = """
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:3001/api/hosts").read().decode())
"""


def shell(machine, command):
    return machine.run("sh", "-ec", command)


def hosts(machine):
    return json.loads(machine.python(HOSTS))["hosts"]


def on_the_page(machine):
    """Return the host once its report is there."""
    return until(lambda: [host for host in hosts(machine) if host.get("metrics")])[0]


def etc(machine):
    """Return everything in ``/etc``, the users and the groups, but for what lists them."""
    files = machine.run("find", "/etc", "-printf", "%p %m %u:%g %T@\n").stdout.splitlines()
    lists = re.compile(r"/etc(/\.pwd\.lock|/g?(passwd|group|shadow)-?|) ")
    users = machine.run("getent", "passwd").stdout + machine.run("getent", "group").stdout
    return {line for line in files if not lists.match(line)} | set(users.splitlines())


def described(machine, *paths):
    return machine.run("stat", "--format=%n %a %U:%G", *paths).stdout.splitlines()


def test_two_commands_lead_from_a_fresh_debian_to_a_host_on_the_page(machine):
    for command in TWO_COMMANDS:
        shell(machine, command)

    host = on_the_page(machine)
    assert (host["id"], host["name"], host["online"]) == ("web-1", "Web 1", True)
    assert host["metrics"]["hostname"] == machine.run("uname", "-n").stdout.strip()

    # As it should be, and after the next boot, too.
    files = [
        "/etc/vstats",
        *(f"/etc/vstats/{name}" for name in ("server.toml", "agent.toml", "token")),
    ]
    assert described(machine, *files) == [
        "/etc/vstats 755 root:root",
        "/etc/vstats/server.toml 640 root:vstats",
        "/etc/vstats/agent.toml 640 root:vstats-agent",
        "/etc/vstats/token 600 root:root",
    ]
    enabled = machine.run("systemctl", "is-enabled", "vstats-server", "vstats-agent").stdout
    assert enabled == "enabled\nenabled\n"

    # The token is in its file, and nowhere else.
    token = machine.run("cat", "/etc/vstats/token").stdout.strip()
    assert len(token) == 43
    assert token not in machine.journal()
    seen = 'grep -rlF -- "$(cat /etc/vstats/token)" /proc/[0-9]*/cmdline /proc/[0-9]*/environ /etc'
    assert shell(machine, f"{seen} 2>/dev/null || true").stdout == "/etc/vstats/token\n"


def test_what_is_installed_already_stays_as_it_is(machine):
    for command in TWO_COMMANDS:
        shell(machine, command)
    on_the_page(machine)
    shell(
        machine,
        "echo '# by hand' >>/etc/vstats/server.toml; echo '# mine' >>/etc/vstats/agent.toml",
    )
    before = shell(machine, "cat /etc/vstats/*; ls -l --time-style=full-iso /etc/vstats").stdout
    pids = machine.pid("vstats-server"), machine.pid("vstats-agent")

    assert machine.run(SERVER, "install").stdout.splitlines()[0] == "nothing to do"
    assert machine.run(AGENT, "install").stdout.splitlines()[0] == "nothing to do"

    assert (
        shell(machine, "cat /etc/vstats/*; ls -l --time-style=full-iso /etc/vstats").stdout
        == before
    )
    assert (machine.pid("vstats-server"), machine.pid("vstats-agent")) == pids

    # What does not fit is refused, not passed over.
    other = machine.run(AGENT, "install", stdin="another-token-" + "x" * 30, check=False)
    assert other.stderr == "/etc/vstats/token holds another token; --new-token replaces it\n"
    moved = machine.run(AGENT, "install", "--url", "ws://192.0.2.1/ws/agent", check=False)
    assert "agent.toml stays as it is, and says ws://127.0.0.1:3001/ws/agent" in moved.stderr
    assert (other.returncode, moved.returncode) == (1, 1)


def test_print_shows_what_is_then_done_and_does_nothing(machine):
    before = etc(machine)
    address = ["--url", "ws://127.0.0.1:3001/ws/agent"]

    for command, stdin in (
        ([SERVER, "install", "--socket"], ""),
        ([AGENT, "install", *address], "token-of-web-1-" + "x" * 28),
        ([AGENT, "uninstall", "--purge"], ""),
        ([SERVER, "uninstall", "--purge"], ""),
    ):
        state = etc(machine)
        shown = machine.run(*command, "--print", stdin=stdin).stdout
        assert etc(machine) == state
        headlines = re.findall(r"^\S.*", shown, re.MULTILINE)
        assert "xxx" not in shown

        done = machine.run(*command, stdin=stdin).stdout.splitlines()

        assert headlines == [line for line in done if " runs; its log: " not in line]
        # The agent's token is known to nobody: it runs all the same, and goes on trying.
        for path in re.findall(r"^write (\S+) \(", shown, re.MULTILINE):
            content = shell(machine, f"cat {path}").stdout.splitlines()
            indented = [f"    {line}".rstrip() for line in content]
            assert "\n".join(indented) in shown or path == "/etc/vstats/token"

    left = {line.rpartition(" ")[0] for line in etc(machine) - before}
    assert left <= {f"/etc/systemd/{path} 755 root:root" for path in ("system", *WANTS)}


def test_uninstall_stops_and_removes_the_services_and_keeps_what_was_configured(machine):
    for command in TWO_COMMANDS:
        shell(machine, command)
    on_the_page(machine)

    machine.run(AGENT, "uninstall")
    machine.run(SERVER, "uninstall")

    assert "vstats" not in machine.run("systemctl", "list-units", "--all").stdout
    assert machine.run("ls", "/etc/vstats").stdout.split() == ["agent.toml", "server.toml", "token"]
    assert machine.run(AGENT, "uninstall").stdout == "nothing to do\n"

    # And back, as if nothing had been.
    machine.run(SERVER, "install")
    machine.run(AGENT, "install")
    assert on_the_page(machine)["online"]


def test_a_new_token_comes_by_the_same_pipe(machine):
    for command in TWO_COMMANDS:
        shell(machine, command)
    on_the_page(machine)
    before = machine.run("cat", "/etc/vstats/token").stdout

    shell(machine, f"{SERVER} hosts rotate web-1 | {AGENT} install --new-token")

    assert machine.run("cat", "/etc/vstats/token").stdout != before
    until(lambda: hosts(machine)[0]["online"])


def test_at_a_terminal_the_token_is_asked_for_and_not_shown(machine):
    machine.run(SERVER, "install")
    configuration = machine.run(SERVER, "hosts", "add", "web-1").stdout
    token = re.search(r'^token = "(.*)"', configuration, re.MULTILINE)[1]
    (command,) = re.findall(r"^#   (vstats-agent .*)", configuration, re.MULTILINE)

    leader, follower = pty.openpty()
    run = machine.command("/opt/vstats/bin/" + command.split()[0], *command.split()[1:])
    process = subprocess.Popen(
        # With a terminal of its own, like somebody who has logged in.
        ["setsid", "--ctty", "--wait", *run],
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    screen = ""
    try:
        while "(it is not shown): " not in screen:
            screen += os.read(leader, 1000).decode()
        os.write(leader, f"{token}\n".encode())
        assert process.wait(PROMPT) == 0
        screen += os.read(leader, 10000).decode()
    finally:
        process.kill()
        os.close(leader)

    assert token not in screen
    assert on_the_page(machine)["online"]


def test_who_may_not_or_cannot_is_told_what_to_do(machine):
    nobody = machine.run("setpriv", "--reuid=65534", SERVER, "install", check=False)
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert (
        nobody.stderr == "only root may do this; use sudo, or --print to see what would be done\n"
    )
    assert machine.run("setpriv", "--reuid=65534", SERVER, "install", "--print").returncode == 0

    shell(machine, "python3 -m venv --system-site-packages --without-pip /root/venv")
    shell(machine, "cp -r /opt/vstats /root/private")
    hidden = machine.run("/root/private/bin/python", "-m", "vstats_server", "install", check=False)
    assert hidden.returncode == 1
    assert (
        "/root/private/bin/vstats-server: a service does not see what is in /root" in hidden.stderr
    )

    shell(machine, "chmod 700 /opt")
    closed = machine.run(SERVER, "install", check=False)
    assert (closed.returncode, closed.stderr) == (
        1,
        f"{SERVER}: a service may not enter /opt; run: chmod -R o+rX /opt\n",
    )
    shell(machine, "chmod 755 /opt")

    for stdin, complaint in (
        ("", "no token: run this at a terminal"),
        ("a few words", "standard input: should be what `vstats-server hosts add` prints"),
        ("tökén", "the token: should be printable ASCII"),
    ):
        refused = machine.run(
            AGENT, "install", "--url", "ws://h/ws/agent", stdin=stdin, check=False
        )
        assert refused.returncode == 1
        assert refused.stderr.startswith(complaint)
    assert not machine.run("sh", "-c", "ls -d /etc/vstats || true").stdout

    without_systemd = machine.run(
        "unshare", "--mount", "sh", "-c", f"umount -l /run; {SERVER} install", check=False
    )
    assert without_systemd.returncode == 1
    assert without_systemd.stderr.startswith("systemd does not run here; --print shows")


def test_a_service_that_does_not_start_says_where_to_look(machine):
    shell(machine, "mkdir /etc/vstats; echo '[server' >/etc/vstats/server.toml")

    refused = machine.run(SERVER, "install", check=False)

    assert refused.returncode == 78
    assert refused.stderr.startswith("/etc/vstats/server.toml:1:")


def test_the_socket_comes_and_goes(machine):
    shell(machine, "mkdir /etc/vstats; printf '[server]\\nport = 3002\\n' >/etc/vstats/server.toml")
    machine.run(SERVER, "install")
    health = f"{HOSTS.replace('3001/api/hosts', '3002/healthz')}"
    assert machine.python(health)

    machine.run(SERVER, "install", "--socket")
    assert machine.show("vstats-server.socket", "Listen") == "127.0.0.1:3002 (Stream)"
    assert "listening on 127.0.0.1 port 3002" in machine.journal("-u", "vstats-server")
    assert machine.python(health)
    assert machine.run(SERVER, "install").stdout.startswith("nothing to do")

    machine.run(SERVER, "install", "--no-socket")
    assert machine.run("systemctl", "is-active", "vstats-server.socket", check=False).returncode
    assert not machine.run(
        "sh", "-c", "ls /etc/systemd/system/vstats-server.service.d || true"
    ).stdout
    assert machine.python(health)
