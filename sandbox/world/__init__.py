"""The state of the loopback Discord, without any network: records, rules, events, and their JSON."""
