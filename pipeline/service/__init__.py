"""The service and its page: sources watched, people named and corrected, over HTTP."""
