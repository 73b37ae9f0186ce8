"""Many films and many cameras, on the processors of this machine or on a Ray cluster."""
