"""An ONNX embedder of someone else's with a head of ours: its graph, fit and export."""
