"""From embeddings to a name, and how sure: evidence, guarantee, calibration, identify, verify."""
