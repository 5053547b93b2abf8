"""The services under a real systemd: start, reload, watchdog, sudden death, and the sandbox."""

import contextlib
import json
import re
import subprocess
import time

import pytest
from machine import until

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(300)]

SERVER = "/opt/vstats/bin/vstats-server"
AGENT = "/opt/vstats/bin/vstats-agent"
SERVICES = ["vstats-server", "vstats-agent"]

HOSTS = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:3001/api/hosts").read().decode())
"""

KNOCK = """
# Ask for the relay's health without a pause, each time anew, until standard input ends and it has
# answered a few times; print how often what came.
import collections, http.client, json, select, sys
seen = collections.Counter()
ended = False
print("knocking", flush=True)
while not ended or seen["200"] < 5:
    connection = http.client.HTTPConnection("127.0.0.1", 3001, timeout=30)
    try:
        connection.request("GET", "/healthz")
        outcome = str(connection.getresponse().status)
    except OSError as error:
        outcome = type(error).__name__
    connection.close()
    seen[outcome] += 1
    ended = ended or bool(select.select([sys.stdin], [], [], 0.01)[0])
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def installed(shared_machine):
    """A machine that runs a relay and an agent."""
    shared_machine.run(SERVER, "install")
    shared_machine.run("sh", "-ec", f"{SERVER} hosts add 'Web 1' | {AGENT} install")
    shared_machine.run("cp", "-a", "/etc/vstats", "/etc/vstats.good")
    return shared_machine


@pytest.fixture
def machine(installed):
    """The machine with both services well, whatever the last test did."""
    installed.run(
        "sh", "-c", "rm -rf /run/systemd/system/vstats*; cp -a /etc/vstats.good/. /etc/vstats"
    )
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "reset-failed")
    installed.run("systemctl", "restart", *SERVICES)
    host_online(installed)
    return installed


@pytest.fixture
def with_socket(machine):
    """The machine with a relay that is handed its socket."""
    machine.run(SERVER, "install", "--socket")
    yield machine
    machine.run("sh", "-c", "cp -a /etc/vstats.good/. /etc/vstats")
    machine.run("systemctl", "reset-failed")
    machine.run(SERVER, "install", "--no-socket")


def host(machine):
    (found,) = json.loads(machine.python(HOSTS))["hosts"]
    return found


def host_online(machine):
    def online():
        with contextlib.suppress(AssertionError):  # the relay is on its way
            found = host(machine)
            return found if found["online"] and found.get("metrics") else None

    return until(online)


def drop_in(machine, service, text):
    """Change a unit, until the machine is made well again."""
    folder = f"/run/systemd/system/{service}.service.d"
    machine.run("sh", "-ec", f"mkdir -p {folder}; printf '{text}' >{folder}/test.conf")
    machine.run("systemctl", "daemon-reload")


def break_configuration(machine, service):
    file = f"/etc/vstats/{service.removeprefix('vstats-')}.toml"
    machine.run("sh", "-ec", f"echo 'nonsense = 1' >>{file}; printf '[server\\n' >>{file}")
    return file


def signal(machine, name, pid):
    machine.run("sh", "-c", f"kill -{name} {pid}")  # there is no /bin/kill


def kill_relay(machine):
    """Kill the relay; return when there is another."""
    pid = until(lambda: machine.pid("vstats-server"))
    signal(machine, "KILL", pid)
    until(lambda: machine.pid("vstats-server") not in (0, pid))


def status(machine, pid):
    text = machine.run("cat", f"/proc/{pid}/status").stdout
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_active_only_once_it_serves_and_has_no_rights(machine, service):
    assert machine.show(service, "Type") == "notify"
    assert machine.show(service, "ActiveState") == "active"
    facts = status(machine, machine.pid(service))

    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "0" * 16
    }
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert "0" not in facts["Uid"].split()


@pytest.mark.parametrize("service", SERVICES)
def test_a_reload_is_seen_from_its_beginning_to_its_end(machine, service):
    pid = machine.pid(service)
    cursor = machine.cursor()

    machine.run("systemctl", "reload", service)

    log = until(
        lambda: (log := machine.journal("--after-cursor", cursor)) and "Reloaded" in log and log
    )
    assert f"Reloading {service}.service" in log
    assert machine.pid(service) == pid
    assert machine.show(service, "ActiveState") == "active"


@pytest.mark.parametrize("service", SERVICES)
def test_a_reload_of_a_broken_configuration_fails_and_the_service_goes_on(machine, service):
    pid = machine.pid(service)
    cursor = machine.cursor()
    file = break_configuration(machine, service)

    result = machine.run("systemctl", "reload", service, check=False)

    assert result.returncode == 1
    log = machine.journal("--after-cursor", cursor, "--unit", service)
    assert f"{file}:" in log
    assert machine.pid(service) == pid
    assert machine.show(service, "ActiveState") == "active"
    assert host(machine)["online"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_stands_still_is_ended_and_started_again(machine, service):
    drop_in(machine, service, "[Service]\\nWatchdogSec=2\\n")
    machine.run("systemctl", "restart", service)
    host_online(machine)
    time.sleep(3)
    assert machine.show(service, "NRestarts") == "0"  # the signs of life come in time
    pid = machine.pid(service)
    cursor = machine.cursor()

    signal(machine, "STOP", pid)

    started = time.monotonic()
    until(lambda: machine.pid(service) not in (0, pid))
    assert time.monotonic() - started < 10
    log = machine.journal("--after-cursor", cursor)
    assert f"{service}.service: Watchdog timeout" in log
    assert "most recent call first" in log  # where it stood
    assert machine.show(service, "NRestarts") == "1"
    assert host_online(machine)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_killed_is_back_by_itself(machine, service):
    pid = machine.pid(service)

    signal(machine, "KILL", pid)

    started = time.monotonic()
    until(lambda: machine.pid(service) not in (0, pid))
    assert time.monotonic() - started < 8
    assert host_online(machine)["metrics"]


def test_a_relay_that_keeps_being_killed_is_never_given_up(machine):
    for _ in range(12):  # more often than StartLimitBurst=
        kill_relay(machine)

    assert host_online(machine)


@pytest.mark.parametrize("service", SERVICES)
def test_a_broken_configuration_is_not_tried_again(machine, service):
    break_configuration(machine, service)

    assert machine.run("systemctl", "restart", service, check=False).returncode == 1

    time.sleep(4)
    assert machine.show(service, "ActiveState") == "failed"
    assert machine.show(service, "ExecMainStatus") == "78"
    assert machine.show(service, "NRestarts") == "0"


@pytest.mark.parametrize("service", SERVICES)
def test_a_stop_is_clean_and_quick(machine, service):
    started = time.monotonic()
    machine.run("systemctl", "stop", service)

    assert time.monotonic() - started < 5
    assert machine.show(service, "Result") == "success"
    assert machine.show(service, "ExecMainStatus") == "0"


def test_the_agents_token_is_roots_alone_and_another_way_is_open(machine):
    (uid,) = set(status(machine, machine.pid("vstats-agent"))["Uid"].split())
    refused = machine.run("setpriv", f"--reuid={uid}", "cat", "/etc/vstats/token", check=False)
    assert "Permission denied" in refused.stderr

    # Without the file, the unit takes what the configuration says.
    token = machine.run("cat", "/etc/vstats/token").stdout.strip()
    edit = f'/^token_file/c token = "{token}"'
    machine.run("sed", "-i", edit, "/etc/vstats/agent.toml")
    machine.run("chgrp", "vstats-agent", "/etc/vstats/agent.toml")
    machine.run("rm", "/etc/vstats/token")
    machine.run("systemctl", "restart", "vstats-agent")

    assert host_online(machine)


def disks_of(report):
    """Return the machine's disks, less systemd-nspawn's own way in, which is on our disk."""
    return [disk for disk in report["disks"] if not disk["mount_point"].startswith("/run/host")]


def rounded(report):
    """Return what does not change from one moment to the next."""
    disks = [
        {key: disk[key] for key in ("name", "mount_point", "fs_type", "total")}
        | {"used": round(disk["used"] / 2**20)}
        for disk in disks_of(report)
    ]
    interfaces = [each["name"] for each in report["network"]["interfaces"]]
    cpu = {key: report["cpu"][key] for key in ("brand", "cores")}
    memory = {key: report["memory"][key] for key in ("total", "swap_total")}
    return disks, interfaces, cpu, memory, report["os"], report["hostname"]


def test_the_sandbox_does_not_change_the_figures(machine):
    machine.run("sh", "-ec", "head -c 9000000 /dev/urandom >/home/file; sync")
    time.sleep(1.5)
    within = host(machine)["metrics"]
    outside = json.loads(machine.run(AGENT, "report").stdout)

    assert all(health["ok"] for health in within["collectors"].values())
    assert rounded(within) == rounded(outside)
    # And they are the truth: a disk each, with what df says of it.
    points = [disk["mount_point"] for disk in disks_of(within)]
    assert points == ["/", "/home", "/srv"]
    for disk in disks_of(within):
        said = machine.run("df", "-B1", "--output=size,used,avail", disk["mount_point"]).stdout
        size, used, available = map(int, said.splitlines()[1].split())
        assert disk["total"] == size
        assert disk["used"] == pytest.approx(used, abs=2**20)
        assert disk["available"] == pytest.approx(available, abs=2**20)
    assert within["network"]["interfaces"]
    assert within["uptime"] == pytest.approx(outside["uptime"], abs=5)
    assert within["memory"]["available"] == pytest.approx(outside["memory"]["available"], rel=0.1)


def test_the_journal_has_the_fields_of_an_event(machine):
    # (Not after a cursor: with a match, the journalctl of Debian 12 skips an entry too many.)
    relay = machine.pid("vstats-server")
    query = ["--output=json", "VSTATS_EVENT=agent_online", f"_PID={relay}"]
    entry = json.loads(until(lambda: machine.journal(*query)).splitlines()[-1])

    assert entry["VSTATS_HOST"] == "web-1"
    assert entry["VSTATS_ADDRESS"] == "127.0.0.1"
    assert entry["MESSAGE"] == "agent web-1 online from 127.0.0.1"
    assert entry["PRIORITY"] == "6"
    assert entry["_SYSTEMD_UNIT"] == "vstats-server.service"
    assert entry["_TRANSPORT"] == "journal"


def knocking(machine, meanwhile):
    """Do something while somebody connects over and over; return what that one saw."""
    command = machine.command("/opt/vstats/bin/python", "-c", KNOCK)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as client:
        assert client.stdout.readline() == "knocking\n"
        meanwhile()
        client.stdin.close()
        return json.loads(client.stdout.read())


def test_with_the_socket_a_restart_refuses_nobody(with_socket):
    def restart():
        for _ in range(3):
            with_socket.run("systemctl", "restart", "vstats-server")

    seen = knocking(with_socket, restart)

    # A connection that was open may be lost; one that is being made never is.
    assert seen.keys() <= {"200", "ConnectionResetError", "RemoteDisconnected"}
    assert seen["200"] >= 5
    assert host_online(with_socket)


def test_without_the_socket_a_restart_does_refuse(machine):
    seen = knocking(machine, lambda: machine.run("systemctl", "restart", "vstats-server"))

    assert seen["ConnectionRefusedError"] > 0


def test_with_the_socket_the_sudden_death_of_the_relay_refuses_nobody(with_socket):
    def kill():
        for _ in range(3):
            kill_relay(with_socket)

    seen = knocking(with_socket, kill)

    assert seen.keys() <= {"200", "ConnectionResetError", "RemoteDisconnected"}
    assert seen["200"] >= 5
    assert host_online(with_socket)


def test_a_relay_that_is_handed_its_socket_has_no_network_of_its_own(with_socket):
    pid = with_socket.pid("vstats-server")
    lines = with_socket.run("cat", f"/proc/{pid}/net/dev").stdout.splitlines()[2:]

    assert [line.split(":")[0].strip() for line in lines] == ["lo"]
    assert with_socket.run("cat", f"/proc/{pid}/net/tcp").stdout.count("\n") == 1
    assert host_online(with_socket)


def test_the_first_who_connects_starts_a_relay_that_was_stopped(with_socket):
    with_socket.run("systemctl", "stop", "vstats-server", "vstats-agent")
    assert with_socket.pid("vstats-server") == 0

    assert host(with_socket)["name"] == "Web 1"
    assert with_socket.pid("vstats-server")
    # Without a network, too, the log arrives.
    assert until(lambda: with_socket.journal("VSTATS_EVENT=listening", "--boot"))


def test_with_the_socket_a_broken_configuration_becomes_a_failure_that_is_seen(with_socket):
    break_configuration(with_socket, "vstats-server")
    with_socket.run("systemctl", "restart", "vstats-server", check=False)

    # The agent goes on knocking, which starts the relay again, but not for ever.
    until(lambda: with_socket.show("vstats-server.socket", "ActiveState") == "failed", 40)
    assert with_socket.show("vstats-server", "ActiveState") == "failed"
