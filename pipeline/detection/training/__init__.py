"""Training face detectors, with torch and ultralytics; only exporting a .pt comes here."""
