"""The REST side of the loopback Discord: its routes, what they refuse, rate limits and faults."""
