"""What `bench/compare.py` is made of: upstream, servers under test, clients, works, and what is written."""
