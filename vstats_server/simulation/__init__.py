"""Hosts that are not there: they report as agents do, so that there is something to look at."""

from vstats_server.simulation.agent import simulate
from vstats_server.simulation.shapes import Shape, shapes

__all__ = ["Shape", "shapes", "simulate"]
