from vstats_core.testing import Conformance


class TestExec(Conformance):
    collector = "exec"
    settings = {  # noqa: RUF012 - the kit's own form
        "commands": [
            {"name": "good", "command": ["echo", '{"answer": 42}']},
            {"name": "bad", "command": ["false"]},
        ],
    }
