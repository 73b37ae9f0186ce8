"""Whether a living head is before the camera: pose, challenge, depth under a turn, and cues that deny it.

Nothing here knows who it is; that is `identity/`. Nothing here proves life either: each part can only fail.
"""
