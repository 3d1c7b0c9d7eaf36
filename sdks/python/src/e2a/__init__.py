"""Email for AI agents. The client lives in :mod:`e2a.v1`, named for the version of the API that it speaks."""

__version__ = "0.1.0"
