from vstats_core.testing import Conformance


class TestDiskIo(Conformance):
    collector = "diskio"
