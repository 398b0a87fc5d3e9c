"""The application: every use case and every write."""

from service.service import Service

__all__ = ["Service"]
