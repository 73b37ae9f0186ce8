"""Letting one person in by the face, and nobody else: attempts, tries, policy. In doubt it refuses."""
