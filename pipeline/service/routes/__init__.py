"""What each address answers: thin functions over the parts of the service."""
