"""Labeled Faces in the Wild: archive, protocol files, download, triplets, split."""
