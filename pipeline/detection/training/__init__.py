"""Training face detectors, with torch and ultralytics; nothing that runs imports this."""
