"""What each disk reads and writes, and how busy it is, as a collector for vStats."""

from vstats_diskio.collector import DiskIoCollector, DiskIoSettings, plugin
from vstats_diskio.section import DiskActivity

__all__ = ["DiskActivity", "DiskIoCollector", "DiskIoSettings", "plugin"]
