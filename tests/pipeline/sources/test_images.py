"""Pictures come upright, as 8-bit colour; what cannot be read says why, before memory is spent on it."""

import os
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.headers import Header, read_header
from pipeline.sources.images import is_photo, list_photos, read_photo, read_plain, unused


def picture(width: int = 60, height: int = 40) -> np.ndarray:
    """Red left half on blue, so that turning and mirroring show."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (0, 0, 255)
    image[:, width // 2 :] = (255, 0, 0)
    return image


def encode(suffix: str, image: np.ndarray, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, image, list(options))[1])


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """`jpeg` with an EXIF segment written by hand that holds just the orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def huge_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".jp2"])
def test_a_picture_of_each_kind_is_read_in_blue_green_red(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode(suffix, picture()))
    image = read_photo(path)
    assert image.shape == (40, 60, 3)
    assert image.dtype == np.uint8
    assert image[20, 10, 2] > 200  # red on the left
    assert image[20, 10, 0] < 60
    assert image[20, 50, 0] > 200


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".gif", ".bmp", ".webp", ".tiff", ".pgm", ".ppm", ".jp2", ".avif"]
)
def test_the_header_gives_the_size_that_decoding_gives(suffix: str) -> None:
    image = picture(61, 37)
    try:
        data = encode(suffix, image[..., 0] if suffix == ".pgm" else image)
    except cv2.error:
        pytest.skip(f"this OpenCV does not write {suffix}")
    header = read_header(data)
    assert header is not None
    assert (header.width, header.height) == (61, 37)


def test_the_header_of_a_lossy_webp_and_of_a_progressive_jpeg_is_understood() -> None:
    lossy = read_header(encode(".webp", picture(61, 37), cv2.IMWRITE_WEBP_QUALITY, 50))
    progressive = read_header(encode(".jpg", picture(61, 37), cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    assert lossy == Header("webp", 61, 37)
    assert progressive == Header("jpeg", 61, 37, reducible=False)


@pytest.mark.parametrize(
    ("orientation", "shape", "red_at", "blue_at"),
    [
        (1, (40, 60, 3), (20, 5), (20, 55)),
        (3, (40, 60, 3), (20, 55), (20, 5)),
        (6, (60, 40, 3), (5, 20), (55, 20)),  # turned a quarter to the right: left becomes top
        (8, (60, 40, 3), (55, 20), (5, 20)),
    ],
)
def test_a_jpeg_is_turned_upright_by_its_exif_orientation(
    tmp_path: Path,
    orientation: int,
    shape: tuple[int, ...],
    red_at: tuple[int, int],
    blue_at: tuple[int, int],
) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(with_orientation(encode(".jpg", picture()), orientation))
    image = read_photo(path)
    assert image.shape == shape
    assert image[red_at][2] > 200
    assert image[blue_at][0] > 200


@pytest.mark.parametrize(
    "image",
    [
        np.full((8, 9), 77, np.uint8),
        np.full((8, 9), 77 * 257, np.uint16),
        np.full((8, 9, 3), 77 * 257, np.uint16),
        np.full((8, 9, 4), 77, np.uint8),
    ],
    ids=["grey", "grey16", "colour16", "alpha"],
)
def test_grey_deep_and_transparent_pictures_become_plain_colour(tmp_path: Path, image: np.ndarray) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", image))
    read = read_photo(path)
    assert read.shape == (8, 9, 3)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - 77).max() <= 1


def test_a_jpeg_with_too_many_pixels_is_read_at_the_largest_fraction_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    path.write_bytes(encode(".jpg", picture(800, 600)))
    assert read_photo(path, max_pixels=800 * 600).shape == (600, 800, 3)
    assert read_photo(path, max_pixels=800 * 600 - 1).shape == (300, 400, 3)
    assert read_photo(path, max_pixels=200 * 150).shape == (150, 200, 3)
    with pytest.raises(SourceError, match=r"800 x 600 pixels.*scale it down"):
        read_photo(path, max_pixels=100)


def test_a_jpeg_of_twelve_thousand_pixels_a_side_is_read_small(tmp_path: Path) -> None:
    path = tmp_path / "big.jpg"
    path.write_bytes(encode(".jpg", np.zeros((12_000, 12_000), np.uint8)))
    assert read_photo(path).shape == (6_000, 6_000, 3)


def test_a_very_long_jpeg_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.jpg"
    path.write_bytes(encode(".jpg", np.zeros((20, 20_000, 3), np.uint8)))
    assert read_photo(path).shape == (20, 20_000, 3)


def test_a_png_that_claims_gigabytes_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(20_000, 20_000))
    with pytest.raises(SourceError, match=r"bomb\.png has 20000 x 20000 pixels, more than the 100 million"):
        read_photo(path)


def test_a_progressive_jpeg_with_too_many_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    path.write_bytes(encode(".jpg", picture(80, 60), cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    with pytest.raises(SourceError, match="scale it down"):
        read_photo(path, max_pixels=80 * 60 - 1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".jp2"])
def test_a_picture_cut_in_half_is_an_error_in_one_line_and_nothing_is_printed(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"half{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    data = encode(suffix, noise)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError) as caught:
        read_photo(path)
    assert "half" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"hello, world\n", "is not a picture"),
        (b"\xff\xd8\xff", "not a picture"),
    ],
)
def test_a_file_that_holds_no_picture_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read_photo(path)


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.jpg does not exist"):
        read_photo(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="is a folder"):
        read_photo(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(".jpg", picture()))
    path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        read_photo(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".jp2", ".gif"])
def test_no_beginning_of_a_picture_confuses_the_header_reader(suffix: str) -> None:
    data = encode(suffix, picture(61, 37))
    for end in range(min(len(data), 700)):
        header = read_header(data[:end])
        assert header is None or (header.width, header.height) == (61, 37)


def test_photos_of_a_folder_come_in_natural_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ["10.jpg", "2.JPG", "b.png", "a1.png", "a01.png", ".hidden.jpg", "notes.txt", "²x.jpg"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    names = [path.name for path in list_photos(tmp_path)]
    assert names == ["2.JPG", "10.jpg", "a01.png", "a1.png", "b.png", "²x.jpg"]


def test_listing_what_is_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot list"):
        list_photos(tmp_path / "nowhere")


def test_a_picture_is_known_by_its_content_and_never_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "jpeg").write_bytes(encode(".jpg", picture()))
    (tmp_path / "film.gif").write_bytes(encode(".gif", picture()))
    (tmp_path / "text").write_text("hello")
    assert is_photo(tmp_path / "jpeg")
    (tmp_path / "text").rename(tmp_path / "text.png")
    assert not is_photo(tmp_path / "missing.png")
    assert not is_photo(tmp_path / "film.gif")
    assert not is_photo(tmp_path / "text.png")
    assert not is_photo(tmp_path / "missing")


def saved(path: Path, **options: object) -> Path:
    """A picture written by Pillow, red on the left."""
    from PIL import Image

    Image.fromarray(picture()[..., ::-1].copy()).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.jfif", "a", "a.txt", "a.png"])
def test_a_jpeg_is_read_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(encode(".jpg", picture()))
    assert list_photos(tmp_path) == [tmp_path / name]
    assert read_photo(tmp_path / name)[20, 10, 2] > 200


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", {}),
        ("a.tif", {"big_tiff": True}),
        ("a.mpo", {}),
        ("a.avif", {}),
    ],
)
def test_more_kinds_of_photographs_are_read(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    image = read_photo(saved(tmp_path / name, **options))
    assert image.shape == (40, 60, 3)
    assert image[20, 10, 2] > 180
    assert image[20, 50, 0] > 180
    assert list_photos(tmp_path) == [tmp_path / name]


def test_of_several_pictures_in_one_file_the_first_is_read(tmp_path: Path) -> None:
    from PIL import Image

    blue = Image.new("RGB", (60, 40), "blue")
    (tmp_path / "b.mpo").write_bytes(encode(".jpg", picture()) + encode(".jpg", picture()[:, ::-1].copy()))
    assert read_photo(tmp_path / "b.mpo")[20, 10, 2] > 180
    for name in ("a.gif", "a.tif"):
        image = read_photo(saved(tmp_path / name, save_all=True, append_images=[blue]))
        assert image[20, 10, 2] > 180


@pytest.mark.parametrize(
    ("orientation", "red_at"), [(6, (5, 20)), (3, (20, 55)), (8, (55, 20)), (2, (20, 55))]
)
def test_an_avif_is_turned_and_mirrored_as_its_container_says(
    tmp_path: Path, orientation: int, red_at: tuple[int, int]
) -> None:
    """Pillow writes an orientation as `irot` and `imir`, and no EXIF of it stays."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x112] = orientation
    path = saved(tmp_path / "a.avif", exif=exif)
    assert b"irot" in path.read_bytes() or b"imir" in path.read_bytes()
    assert read_photo(path)[red_at][2] > 180


@pytest.mark.parametrize("white", [1.0, 255.0, 4000.0])
@pytest.mark.parametrize("grey", [False, True])
def test_a_tiff_in_floating_point_is_read_whatever_its_white_is(
    tmp_path: Path, white: float, grey: bool
) -> None:
    image = picture().astype(np.float32) * np.float32(white / 255)
    assert cv2.imwrite(str(tmp_path / "a.tif"), image[..., 2] if grey else image)
    read = read_photo(tmp_path / "a.tif")
    assert (read.shape, read.dtype) == ((40, 60, 3), np.uint8)
    assert read[20, 10].tolist() == ([255, 255, 255] if grey else [0, 0, 255])


def test_a_jpeg_xl_is_read_or_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jxl"
    path.write_bytes(b"\xff\x0a\x41\x24")
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(SourceError, match="save it as JPEG"):
        read_photo(path)
    monkeypatch.undo()
    codecs = pytest.importorskip("imagecodecs", reason="not installed: it is large, and optional")
    path.write_bytes(codecs.jpegxl_encode(picture()[..., ::-1].copy()))
    assert read_photo(path)[20, 10, 2] > 180


def test_an_avif_that_is_cut_short_is_an_error_in_one_line(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.avif")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError) as caught:
        read_photo(path)
    assert "\n" not in str(caught.value)


def test_what_a_folder_holds_besides_photos_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(".jpg", picture()))
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.dat").touch()
    (tmp_path / "holiday.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 12)
    (tmp_path / "more").mkdir()
    (tmp_path / ".hidden").touch()
    assert [(path.name, why) for path, why in unused(tmp_path)] == [
        ("empty.dat", "empty (0 bytes)"),
        ("holiday.mp4", "a film; enroll it with --video"),
        ("more", "a folder inside it, which is not searched; give it by itself"),
        ("notes.txt", "not a picture of a kind that can be read here"),
    ]


def jpeg_xl(width: int, height: int) -> bytes:
    """The first bytes of a bare JPEG XL, its size written out in full."""
    bits, at = 0, 0

    def put(value: int, count: int) -> None:
        nonlocal bits, at
        bits |= value << at
        at += count

    put(0, 1)  # not a multiple of eight
    for side, before in ((height, None), (width, 0)):
        if before is not None:
            put(before, 3)  # no common ratio
        put(3, 2)
        put(side - 1, 30)
    return b"\xff\x0a" + bits.to_bytes(16, "little")


def boxed(code: bytes, kind: bytes = b"jxlc") -> bytes:
    inside = (b"\0\0\0\0" if kind == b"jxlp" else b"") + code
    return (
        b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "
        + (len(inside) + 8).to_bytes(4, "big") + kind + inside
    )  # fmt: skip


@pytest.mark.parametrize("size", [(1, 1), (640, 480), (40_000, 50_000), (1 << 30, 3)])
def test_a_jpeg_xl_says_its_size_before_it_is_decoded(size: tuple[int, int]) -> None:
    code = jpeg_xl(*size)
    for data in (code, boxed(code), boxed(code, b"jxlp")):
        assert read_header(data) == ("jpeg xl", *size, False)


@pytest.mark.parametrize(
    "size", [(64, 64), (160, 120), (1920, 1080), (333, 77), (120, 100), (256, 8), (200, 100)]
)
def test_the_size_is_what_the_librarys_own_files_say(size: tuple[int, int]) -> None:
    codecs = pytest.importorskip("imagecodecs", reason="needs imagecodecs, which writes JPEG XL")
    data = codecs.jpegxl_encode(np.zeros((size[1], size[0], 3), np.uint8))
    assert read_header(data) == ("jpeg xl", *size, False)


@pytest.mark.parametrize(
    "data", [b"\xff\x0a", b"\xff\x0a\xff", boxed(b""), boxed(b"nonsense"), boxed(b"")[:40]]
)
def test_a_jpeg_xl_that_ends_too_early_is_none(data: bytes) -> None:
    assert read_header(data) is None


def test_a_huge_jpeg_xl_is_refused_and_never_decoded(tmp_path: Path) -> None:
    path = tmp_path / "huge.jxl"
    path.write_bytes(jpeg_xl(40_000, 50_000))
    with pytest.raises(SourceError, match="40000 x 50000 pixels"):
        read_photo(path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is UTF-8")
def test_a_picture_whose_name_is_not_utf8_is_read_where_opencv_alone_would(tmp_path: Path) -> None:
    path = tmp_path / "o\udce9.png"
    path.write_bytes(cv2.imencode(".png", np.full((8, 9, 3), 70, np.uint8))[1].tobytes())
    image = read_plain(path)
    assert image is not None
    assert image.shape == (8, 9, 3)
    path.write_bytes(b"")
    assert read_plain(path) is None
    assert read_plain(tmp_path / "missing.png") is None
