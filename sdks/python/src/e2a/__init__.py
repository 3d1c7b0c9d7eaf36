"""Email for AI agents. The client is in :mod:`e2a.v1`, named after the version of the API that it uses."""

__version__ = "0.1.0"
