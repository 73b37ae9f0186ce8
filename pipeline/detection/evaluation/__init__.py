"""How good a face detector is, measured on photographs."""
