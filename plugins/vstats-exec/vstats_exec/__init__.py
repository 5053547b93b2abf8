"""What your own scripts and files say, as a collector for vStats."""

from vstats_exec.collector import ExecCollector, plugin
from vstats_exec.section import Problem
from vstats_exec.settings import Command, ExecSettings

__all__ = ["Command", "ExecCollector", "ExecSettings", "Problem", "plugin"]
