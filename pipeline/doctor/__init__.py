"""What `recog doctor` looks at: models, devices, gallery, cameras, codecs, clock, disk. Nothing is mended."""
