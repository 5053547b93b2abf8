"""Requirements for the network collector."""

import psutil
import pytest

from vstats_collectors import network
from vstats_collectors.network import (
    Counters,
    NetworkCollector,
    NetworkSettings,
    parse_net_dev,
)

DEFAULT = NetworkSettings()


class Machine:
    """Interfaces and a clock, to be set by a test."""

    def __init__(self, **interfaces):
        self.interfaces = interfaces
        self.moment = 100.0
        self.collector = NetworkCollector(
            read_counters=lambda: self.interfaces, clock=lambda: self.moment
        )

    def collect(self, settings=DEFAULT):
        return self.collector.vstats_collect(settings)["network"]

    def later(self, seconds, **interfaces):
        self.moment += seconds
        self.interfaces = interfaces
        section = self.collect()
        return section["rx"], section["tx"]


def names(section):
    return [interface["name"] for interface in section["interfaces"]]


def test_counters_are_listed_by_name_and_summed(valid):
    machine = Machine(eth1=Counters(30, 4), eth0=Counters(1000, 200))

    assert valid({"network": machine.collect()}) == {
        "network": {
            "interfaces": [
                {"name": "eth0", "rx": 1000, "tx": 200},
                {"name": "eth1", "rx": 30, "tx": 4},
            ],
            "total_rx": 1030,
            "total_tx": 204,
            "rx": 0,
            "tx": 0,
        }
    }


def test_rates_are_whole_bytes_a_second_since_the_previous_call(valid):
    machine = Machine(eth0=Counters(1000, 0), eth1=Counters(0, 0))
    machine.collect()

    rates = machine.later(1.5, eth0=Counters(2000, 300), eth1=Counters(500, 0))

    assert rates == (1000, 200)
    assert [type(rate) for rate in rates] == [int, int]


def test_a_counter_that_starts_over_adds_nothing_and_hides_nothing():
    machine = Machine(eth0=Counters(5000, 5000), eth1=Counters(0, 0))
    machine.collect()

    assert machine.later(1, eth0=Counters(10, 10), eth1=Counters(70, 7)) == (70, 7)
    assert machine.later(1, eth0=Counters(110, 20), eth1=Counters(70, 7)) == (100, 10)


def test_an_interface_that_appears_does_not_add_its_past():
    machine = Machine(eth0=Counters(0, 0))
    machine.collect()

    assert machine.later(1, eth0=Counters(5, 5), eth1=Counters(10**9, 10**9)) == (5, 5)


def test_an_interface_that_is_gone_is_forgotten():
    machine = Machine(eth0=Counters(1000, 1000))
    machine.collect()

    assert machine.later(1) == (0, 0)
    assert machine.later(1, eth0=Counters(5000, 5000)) == (0, 0)


@pytest.mark.parametrize(
    "name",
    [
        *("lo", "veth1a2b3c", "docker0", "br-5f3c", "br0", "virbr0", "virbr0-nic", "vnet3", "tap0"),
        *("tun0", "wg0", "tailscale0", "ztabcdef", "cni0", "flannel.1", "cali12345", "cilium_host"),
        *("lxcbr0", "lxdbr0", "podman1", "kube-ipvs0", "dummy0", "ifb0", "bond0", "team0"),
        *("vlan100", "eth0.100", "macvlan0", "sit0", "gre0", "gretap0", "ip6tnl0", "vxlan.calico"),
        *("vmbr0", "utun3", "lo0", "Loopback Pseudo-Interface 1"),
    ],
)
def test_loopback_and_virtual_interfaces_are_left_out(name):
    assert names(Machine(**{name: Counters(1, 1)}).collect()) == []


@pytest.mark.parametrize(
    "name",
    [
        *("eth0", "en0", "eno1", "ens3", "enp65s0f1np1", "enx001122334455", "wlan0", "wlp2s0"),
        *("wwan0", "ppp0", "ib0", "usb0", "venet0", "vtnet0", "em1", "igb0", "Ethernet 2"),
    ],
)
def test_what_leads_out_of_the_machine_is_listed(name):
    assert names(Machine(**{name: Counters(1, 1)}).collect()) == [name]


def test_include_wins_over_exclude():
    machine = Machine(
        eth0=Counters(1, 1), wg0=Counters(2, 2), wg1=Counters(3, 3), lo=Counters(4, 4)
    )

    assert names(machine.collect(NetworkSettings(include=["wg*"]))) == ["eth0", "wg0", "wg1"]
    assert names(machine.collect(NetworkSettings(exclude=["eth*"], include=["eth0"]))) == [
        *("eth0", "lo", "wg0", "wg1")
    ]


def test_what_is_left_out_is_not_in_the_rates():
    machine = Machine(eth0=Counters(0, 0), lo=Counters(0, 0))
    machine.collect()

    assert machine.later(1, eth0=Counters(1, 1), lo=Counters(900, 900)) == (1, 1)


def test_a_server_with_60_interfaces_fits_in_a_report(valid):
    machine = Machine(**{f"enp{n}s0f0np0": Counters(10**15 + n, 10**15) for n in range(60)})

    section = valid({"network": machine.collect()})["network"]

    assert len(section["interfaces"]) == 60
    assert section["total_rx"] == 60 * 10**15 + sum(range(60))


def test_a_machine_without_interfaces_reports_none(valid):
    assert valid({"network": Machine().collect()})["network"]["interfaces"] == []


NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo:  111       2    0    0    0     0          0         0      222       2    0    0    0
  eth0:18446744073709551615 1 0 0 0     0          0         0       20       2    0    0    0
eth0:1:   5       2    0    0    0     0          0         0        6       2    0    0    0
"""


def test_the_kernels_table_gives_each_interfaces_bytes():
    assert parse_net_dev(NET_DEV) == {
        "lo": Counters(rx=111, tx=222),
        "eth0": Counters(rx=2**64 - 1, tx=20),  # old kernels leave no space before a large number
        "eth0:1": Counters(rx=5, tx=6),
    }


@pytest.mark.parametrize("source", ["the kernel's table", "psutil"])
def test_the_counters_of_this_machine_are_what_psutil_says(source, monkeypatch, tmp_path):
    if source == "psutil":
        monkeypatch.setattr(network, "NET_DEV", tmp_path / "absent")
    before = psutil.net_io_counters(pernic=True, nowrap=False)

    found = network.read_counters()

    after = psutil.net_io_counters(pernic=True, nowrap=False)
    assert found.keys() == after.keys()
    for name, counts in found.items():
        assert before[name].bytes_recv <= counts.rx <= after[name].bytes_recv
        assert before[name].bytes_sent <= counts.tx <= after[name].bytes_sent
