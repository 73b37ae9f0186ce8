"""What models there are: catalogue, local files, pull, adopt."""
