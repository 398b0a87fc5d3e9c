"""Files that mean harm, made from a seed: for `scripts/hostile_files.py` and the tests."""
