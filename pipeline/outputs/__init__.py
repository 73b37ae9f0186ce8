"""Where results go: video, events, webhook, snapshots, window, summary."""
