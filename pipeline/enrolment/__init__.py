"""From photos, films and cameras to templates."""
