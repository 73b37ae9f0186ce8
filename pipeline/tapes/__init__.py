"""Embeddings kept, asked again, purged, explained."""
