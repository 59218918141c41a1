"""Rule cases that other products publish, replayed through our engine: reading.py, translating.py, replaying.py."""
