"""Thin Typer bodies: they read options, call the library, and print."""
