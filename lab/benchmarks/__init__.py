"""What vStats costs, beside its peers: ``python -m lab.benchmarks`` from the repository."""
