import pytest

from vstats_core.errors import InstallError
from vstats_core.service import actions as steps
from vstats_core.service.actions import Step, carry_out, make_folder, remove, run


def carried_out(*planned, only_show=False):
    said = []
    carry_out(planned, said.append, only_show=only_show)
    return said


def test_a_step_that_is_done_is_neither_said_nor_done_again(tmp_path):
    folder = make_folder(tmp_path / "new")

    assert carried_out(folder) == [f"make the folder {tmp_path}/new (0755)"]
    assert carried_out(folder) == ["nothing to do"]


def test_showing_does_nothing(tmp_path):
    shown = carried_out(make_folder(tmp_path / "new"), run("false"), only_show=True)

    assert shown == [f"make the folder {tmp_path}/new (0755)", "run false"]
    assert not (tmp_path / "new").exists()


def test_what_would_be_written_is_shown_but_not_a_secret(tmp_path):
    open_file = steps.write(tmp_path / "a", "[agent]\n\nurl = 1\n")
    secret = steps.write(tmp_path / "b", "hunter2", mode=0o600, show="the token")

    assert carried_out(open_file, secret, only_show=True) == [
        f"write {tmp_path}/a (0644, root:root)",
        "    [agent]",
        "",
        "    url = 1",
        f"write {tmp_path}/b (0600, root:root)",
        "    the token",
    ]


def test_a_command_that_fails_ends_the_installation_with_what_it_said(tmp_path):
    with pytest.raises(InstallError, match=r"^ls /nowhere: .*/nowhere"):
        carried_out(run("ls", "/nowhere"), make_folder(tmp_path / "new"))

    assert not (tmp_path / "new").exists()


def test_a_step_that_the_system_refuses_says_which_and_why(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InstallError, match=r"^could not make the folder .*: Not a directory"):
        carried_out(make_folder(tmp_path / "file" / "new"))


def test_a_folder_that_holds_something_is_not_removed(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine").write_text("")

    carried_out(remove(folder))
    assert folder.exists()

    carried_out(remove(folder / "mine"), remove(folder))
    assert not folder.exists()


def test_steps_are_done_in_order():
    done = []
    planned = [Step(str(n), lambda n=n: done.append(n)) for n in range(3)]

    assert carried_out(*planned) == ["0", "1", "2"]
    assert done == [0, 1, 2]
