"""What people do in the loopback Discord, and what they see of it."""

from sandbox.people.person import NoAnswer, Person, Refused, channel_named, person
from sandbox.people.reading import Media, labels_of, media_of, text_of

__all__ = ["Media", "NoAnswer", "Person", "Refused", "channel_named", "labels_of", "media_of", "person", "text_of"]
