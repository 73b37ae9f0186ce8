"""Pictures as sources: one, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.sources.base import Source
from pipeline.sources.images import MAX_PIXELS, PHOTO_SUFFIXES, list_photos, read_photo
from pipeline.types import Frame


class Photo(Source):
    """One picture. It is read at once, so that a bad one fails before anything else is begun."""

    def __init__(self, path: Path, max_pixels: int = MAX_PIXELS) -> None:
        self._image = read_photo(path, max_pixels)
        super().__init__(path.name, size=(self._image.shape[1], self._image.shape[0]), frame_count=1)

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(self._image, 0, 0.0, self.name)


class Photos(Source):
    """The pictures of a folder as a slow film, one a second.

    `Frame.source` names the picture: with a folder `party`, `party/2.jpg`.
    """

    def __init__(self, folder: Path, max_pixels: int = MAX_PIXELS) -> None:
        self._paths, self._max_pixels = list_photos(folder), max_pixels
        if not self._paths:
            kinds = ", ".join(sorted(PHOTO_SUFFIXES))
            raise SourceError(f"{folder} holds no pictures ({kinds}); folders inside it are not searched")
        super().__init__(folder.resolve().name, frame_count=len(self._paths))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the pictures that can be read.

        Raises:
            SourceError: none of them can.
        """
        errors: list[SourceError] = []
        for index, path in enumerate(self._paths):
            try:
                image = read_photo(path, self._max_pixels)
            except SourceError as error:
                errors.append(error)
                continue
            yield Frame(image, index, float(index), f"{self.name}/{path.name}")
        if not errors:
            return
        if len(errors) == len(self._paths):
            if len(errors) == 1:
                raise SourceError(f"the only picture cannot be read: {errors[0]}")
            raise SourceError(f"none of the {len(errors)} pictures can be read; the first: {errors[0]}")
        self.complaint = f"{len(errors)} of {len(self._paths)} pictures left out; the first: {errors[0]}"
