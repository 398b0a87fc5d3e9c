"""The application: every use case and every write, one file a topic. Knows engine and database, never Discord."""

from service.context import Topic, Topics
from service.limits import Limits
from service.service import Service

__all__ = ["Limits", "Service", "Topic", "Topics"]
