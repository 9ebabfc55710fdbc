"""Fault campaigns: each whole under `make faults`, each in a short form under `make test`."""
