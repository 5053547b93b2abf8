"""What vStats costs, beside its peers: run ``python -m benchmarks`` from the repository's root."""
