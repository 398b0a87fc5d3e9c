"""What people do in the loopback Discord, and what they see of it."""

from sandbox.people.person import NoAnswer, Person, Refused, channel_named, person

__all__ = ["NoAnswer", "Person", "Refused", "channel_named", "person"]
