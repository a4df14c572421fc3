"""Load test of ``rankelastor serve`` on this machine; ``python -m benchmarks.serving`` runs it."""
