"""The engine: one source, or several, from frame to result."""
