"""One face in one image: boxes, pairing, crop, quality, choice of a face."""
