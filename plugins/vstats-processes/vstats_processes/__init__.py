"""Which processes use the most CPU and memory, as a collector for vStats."""

from vstats_processes.collector import ProcessesCollector, ProcessesSettings, plugin
from vstats_processes.section import Processes, TopProcess

__all__ = ["Processes", "ProcessesCollector", "ProcessesSettings", "TopProcess", "plugin"]
