from vstats_core.testing import Conformance


class TestSensors(Conformance):
    collector = "sensors"
