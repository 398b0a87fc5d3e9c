"""The sandbox page: the loopback Discord in a browser."""
