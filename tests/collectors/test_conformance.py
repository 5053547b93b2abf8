from vstats_core.testing import Conformance


class TestCpu(Conformance):
    collector = "cpu"


class TestDisks(Conformance):
    collector = "disks"


class TestLoad(Conformance):
    collector = "load"


class TestMemory(Conformance):
    collector = "memory"


class TestNetwork(Conformance):
    collector = "network"


class TestOs(Conformance):
    collector = "os"
