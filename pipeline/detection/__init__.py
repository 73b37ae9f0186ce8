"""Faces and people in an image; only what runs (ONNX)."""
