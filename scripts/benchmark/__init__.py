"""Parts of scripts/bench.py: baselines, workloads, measuring, and the table."""
