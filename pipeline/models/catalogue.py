"""Models of other people that `recog models pull` can fetch: what they are, where they lie, how to know them.

Nothing here is fetched unless somebody says `pull`. A model belongs here if its licence lets everybody use
it, its address keeps one version for good, and its checksum is stated by more than one source.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from siamese.errors import ModelError
from siamese.frozen.settings import BackboneSettings


@dataclass(frozen=True, slots=True)
class Entry:
    """One model that can be fetched."""

    name: str
    file: str  # its name on disk
    kind: str
    size: int  # bytes
    sha256: str
    licence: str
    urls: tuple[str, ...]  # of just these bytes, tried in order
    use: str  # what it is good for here, one line
    wants: BackboneSettings | None = None  # how a face embedder wants its input


EMBEDDER = "embedder of others"  # the kind of those that `recog models adopt` makes models of

# What is known of the licences of models that are not in the catalogue, by what their files are called.
NOTES = {
    "edgeface": "EdgeFace's repository states BSD-3-Clause for its weights, its model cards CC BY-NC-SA 4.0 "
    "(not for commercial use); ask its authors which holds",
}

_ASSETS = "https://github.com/ultralytics/assets/releases/download"
# OpenCV Zoo keeps its models in Git LFS; this address serves the files themselves, of one commit for good.
_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/47534e27c9851bb1128ccc0102f1145e27f23f98"
_HUB = "https://huggingface.co/opencv"
_AGPL = "AGPL-3.0 (ultralytics)"

CATALOGUE = (
    # The release assets of Ultralytics. Sizes and checksums as recorded from their own downloads, alike and
    # independently of each other, by the Julia package YOLOWeights (2026-08-22), the evaluation receipts and
    # download scripts of at least four more public repositories. YOLO11n is the one that was exported with
    # free sides, so a film of 16:9 costs no more than it has to; v8.3.0 and v8.4.0 hold the same file.
    Entry(
        "person",
        "yolo11n.onnx",
        "person detector",
        10_930_182,
        "634279b40c07c6391472c51ad45b81ebc48706a9a1fe72dd3396322acd0c053b",
        _AGPL,
        (f"{_ASSETS}/v8.4.0/yolo11n.onnx", f"{_ASSETS}/v8.3.0/yolo11n.onnx"),
        "--detector person: follows people, who keep their names while the face is turned away",
    ),
    Entry(
        "yolo26n",
        "yolo26n.onnx",
        "person detector",
        9_941_957,
        "2e947b787d9e787b93a16772a5f55b1d4d8c4d86f53146149c5d6a642442d6f7",
        _AGPL,
        (f"{_ASSETS}/v8.4.0/yolo26n.onnx",),
        "--detector yolo26n: the same with a newer network, always at 640 x 640",
    ),
    # Size and SHA-256 of both are those of OpenCV Zoo's own Git LFS pointers.
    Entry(
        "sface",
        "face_recognition_sface_2021dec.onnx",
        EMBEDDER,
        38_696_353,
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        "Apache-2.0",
        (
            f"{_ZOO}/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
            f"{_HUB}/face_recognition_sface/resolve/c140188d35b7d0050f2dcfdfb8fe3e98d516744f/"
            "face_recognition_sface_2021dec.onnx",
        ),
        "recog models adopt sface, then --model sface; or recog train: a teacher or a backbone",
        # As OpenCV's FaceRecognizerSF feeds it; what it subtracts and divides by is in the graph.
        BackboneSettings(colour="rgb", mean=0.0, scale=1.0),
    ),
    Entry(
        "yunet",
        "face_detection_yunet_2023mar.onnx",
        "face detector of others",
        232_589,
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "MIT",
        (
            f"{_ZOO}/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
            f"{_HUB}/face_detection_yunet/resolve/3cc26e7f1014a5ee5d74a42acee58bafc9d0a310/"
            "face_detection_yunet_2023mar.onnx",
        ),
        "recog detector evaluate --yunet FILE: stands beside ours",
    ),
)


def find(name: str) -> Entry | None:
    """The entry of this name."""
    return next((entry for entry in CATALOGUE if entry.name == name), None)


def note(file: str) -> str | None:
    """What is known of the licence of a file that is called so."""
    return next((said for name, said in NOTES.items() if name in file.lower()), None)


def entry(name: str) -> Entry:
    """The entry of this name.

    Raises:
        ModelError: there is none; the message names those that there are.
    """
    found = find(name)
    if found is None:
        names = [each.name for each in CATALOGUE]
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        raise ModelError(f"{name}: not a model that can be pulled; {hint}")
    return found
