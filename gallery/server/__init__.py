"""A gallery on a PostgreSQL server with pgvector: one for many machines.

Nothing here is imported unless a gallery's place is a server's address (`gallery.address`).
"""
