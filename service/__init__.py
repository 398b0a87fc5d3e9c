"""The application: every use case and every write, one file a topic. Knows engine and database, never Discord."""

from service.limits import Limits
from service.service import Service
from service.topics import Topic, Topics

__all__ = ["Limits", "Service", "Topic", "Topics"]
