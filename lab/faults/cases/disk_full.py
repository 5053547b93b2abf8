"""A disk that is full while the configuration is written: the old file stays, and it is said."""

import os
import subprocess
import sys
from pathlib import Path

from lab.faults.programs import ROOT
from lab.faults.row import Row, Stage

__all__ = ["play"]

# In a mount namespace of its own; nothing is left of it when the shell ends. It prints, for each
# amount of free space: pages, exit code, whether the file is as it was, what is in the folder, and
# the complaint.
SCRIPT = """
set -eu
mount -t tmpfs -o size=64k,nr_inodes={inodes} vst-full "$1"
cp "$2" "$1/server.toml"
sum=$(sha256sum < "$1/server.toml")
for pages in {pages}; do
  dd if=/dev/zero of="$1/ballast" bs=4096 2>/dev/null || true
  size=$(stat -c %s "$1/ballast")
  truncate -s $((size - pages * 4096)) "$1/ballast"
  code=0
  complaint=$("$3" -m vstats_server --config "$1/server.toml" {command} 2>&1 >/dev/null) || code=$?
  rm "$1/ballast"
  same=$([ "$sum" = "$(sha256sum < "$1/server.toml")" ] && echo same || echo changed)
  valid=no
  "$3" -m vstats_server --config "$1/server.toml" check >/dev/null 2>&1 && valid=yes
  echo "$pages|$code|$same|$valid|$(ls -A "$1" | tr '\\n' ' ')|$(echo "$complaint" | tail -1)"
  cp "$2" "$1/server.toml"
done
"""
COMMANDS = {
    "`hosts add`": "hosts add another",
    "`hosts rotate`": "hosts rotate host-1",
    "`hosts remove`": "hosts remove host-1",
}


def play(stage: Stage) -> list[Row]:
    """Edit the hosts with no page of 4 KiB left, with one, with two ..."""
    stage.folder.mkdir(parents=True)
    source = stage.folder / "server.toml"
    # Of more than one page, so that it may be cut off in the middle.
    hosts = "".join(
        f'[[server.hosts]]\nid = "host-{number}"\nname = "{"x" * 150} {number}"\n'
        f'token_sha256 = "{number:064x}"\n'
        for number in range(30)
    )
    source.write_text(f"[server]\n{hosts}")
    times, failed, failures = 0, 0, []
    commands = list(COMMANDS.items())[: 1 if stage.quick else None]
    pages = "0 1 4" if stage.quick else "0 1 2 3 4 5"
    for number, (name, command) in enumerate(commands):
        for line in _run(stage.folder / str(number), source, SCRIPT, command, pages):
            times += 1
            left, code, same, valid, files, complaint = line.split("|")
            where = f"{name} with {left} pages left"
            if valid != "yes":
                failures.append(f"{where}: the file is not valid any more")
            if files.split() != ["server.toml"]:
                failures.append(f"{where}: left behind: {files}")
            if (code == "0") == (same == "same"):
                failures.append(f"{where}: exit code {code}, the file {same}")
            if code != "0":
                failed += 1
                if "No space left on device" not in complaint or "Traceback" in complaint:
                    failures.append(f"{where}: it says {complaint!r}")
    if not 0 < failed < times:
        failures.append(f"the disk was full {failed} times of {times}")
    remark = (
        f"{failed} failed, saying so, with the old file whole and nothing left beside it; the "
        f"{times - failed} that had room for the new file took effect"
    )
    how = f"tmpfs of 64 KiB, 0 to 5 pages free: {', '.join(name for name, _ in commands)}"
    return [Row("disk full", how, times, remark=remark, failures=failures)]


def _run(folder: Path, source: Path, script: str, command: str, pages: str) -> list[str]:
    folder.mkdir()
    text = script.format(command=command, pages=pages, inodes=50)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", text, "sh", folder, source, sys.executable],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()
