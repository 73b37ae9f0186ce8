"""Everything that yields frames: films, cameras, streams, stills."""
