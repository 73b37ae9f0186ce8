"""Which face is which from frame to frame, and when to look at one."""
