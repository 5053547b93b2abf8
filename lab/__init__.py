"""Measure and break vStats: benchmarks and fault injection. Not part of the wheel."""
