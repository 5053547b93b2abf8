from vstats_core.testing import Conformance


class TestProcesses(Conformance):
    collector = "processes"


class TestProcessesWithEverything(Conformance):
    collector = "processes"
    settings = {"top": 50, "command_lines": True}  # noqa: RUF012 - the kit's own form
