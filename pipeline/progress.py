"""How the library says how far it is: as the gallery does, which may not know of the pipeline."""

from gallery.progress import Progress, Report, silent, unheard

__all__ = ["Progress", "Report", "silent", "unheard"]
