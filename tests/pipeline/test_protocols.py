"""Real detectors, embedders and galleries, and every fake of one in the tests, are what the code asks for.

A fake that lacks what the real object has hides defects: code that asks for it goes another way with the
fake. So each class in the tests that stands in for one is found by what it does, and held to the whole
protocol.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gallery import Gallery
from gallery.followed import Enrolled
from pipeline.detection.person import PersonDetector
from pipeline.detection.region import RegionDetector
from pipeline.detection.tiles import TiledDetector
from pipeline.detection.training.yunet import YuNet
from pipeline.detection.wary import WaryDetector
from pipeline.detection.yolo import YoloDetector
from pipeline.protocols import Detector, Embedder, People
from pipeline.recognition.shared_people import PeopleView, SharedPeople
from siamese.runtime import Embedder as OnnxEmbedder

TESTS = Path(__file__).parent
PROTOCOLS: dict[str, type] = {"detect": Detector, "embed": Embedder, "search": People}  # by what a fake does
REAL: dict[type, tuple[type, ...]] = {
    Detector: (YoloDetector, TiledDetector, RegionDetector, PersonDetector, WaryDetector, YuNet),
    Embedder: (OnnxEmbedder,),
    People: (Gallery, Enrolled, PeopleView),
}


class Fake(NamedTuple):
    """A class of the tests that stands in for something."""

    where: str
    protocol: type
    members: frozenset[str]
    arguments: dict[str, list[tuple[str, Any]]]  # of its methods: names and defaults


def wanted(protocol: type) -> dict[str, Any]:
    """The members of a protocol and of those it builds on, by name."""
    bases = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False)]
    return {
        name: value
        for base in bases
        for name, value in vars(base).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }


def arguments(method: Any) -> list[tuple[str, Any]]:
    """Names and defaults of what a method is called with."""
    given = list(inspect.signature(method).parameters.values())[1:]
    return [(each.name, "" if each.default is each.empty else repr(each.default)) for each in given]


def written(method: ast.FunctionDef) -> list[tuple[str, Any]]:
    """The same of a method as it is written."""
    args = method.args
    names = [arg.arg for arg in [*args.posonlyargs, *args.args]][1:]
    defaults = [ast.unparse(each) for each in args.defaults]
    defaults = [""] * (len(names) - len(defaults)) + defaults
    only = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    rest = [(arg.arg, "" if default is None else ast.unparse(default)) for arg, default in only]
    return [*zip(names, defaults, strict=True), *rest]


def fakes() -> Iterator[Fake]:
    for path in sorted(TESTS.rglob("*.py")):
        text = path.read_text()
        if not any(f"def {does}(" in text for does in PROTOCOLS):  # parsing all takes each process seconds
            continue
        tree = ast.parse(text)
        classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        for node in classes.values():
            family = [node, *(classes[base.id] for base in node.bases if getattr(base, "id", "") in classes)]
            body = [each for one in family for each in one.body]
            methods = {each.name: each for each in reversed(body) if isinstance(each, ast.FunctionDef)}
            for does, protocol in PROTOCOLS.items():
                if does in methods:
                    yield Fake(
                        f"{path.relative_to(TESTS)}:{node.name}",
                        protocol,
                        frozenset(methods) | {name for each in body for name in _assigned(each)},
                        {name: written(method) for name, method in methods.items()},
                    )


def _assigned(statement: ast.stmt) -> Iterator[str]:
    """The attributes that a statement of a class's body gives to it or to its instances."""
    for node in ast.walk(statement):
        if not isinstance(getattr(node, "ctx", None), ast.Store):
            continue
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self":
            yield node.attr
        elif isinstance(node, ast.Name) and not isinstance(statement, ast.FunctionDef):
            yield node.id


FAKES = list(fakes())


def test_there_are_fakes_of_each_protocol() -> None:
    assert {fake.protocol for fake in FAKES} == set(REAL)


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.where)
def test_a_fake_has_what_the_real_object_has(fake: Fake) -> None:
    members = wanted(fake.protocol)
    assert not set(members) - fake.members
    for name, method in members.items():
        if not isinstance(method, property):
            assert fake.arguments[name] == arguments(method), name


@pytest.mark.parametrize(
    ("protocol", "real"),
    [(protocol, real) for protocol, every in REAL.items() for real in every],
    ids=lambda value: value.__name__,
)
def test_a_real_object_takes_what_its_protocol_says(protocol: type, real: type) -> None:
    for name, method in wanted(protocol).items():
        if isinstance(method, property):  # an attribute of instances; mypy sees to those
            continue
        asked, taken = arguments(method), arguments(getattr(real, name))
        assert taken[: len(asked)] == asked, name
        assert all(default for _, default in taken[len(asked) :]), f"{name} needs more"


def test_who_shares_a_gallery_shares_all_of_it() -> None:
    missing = set(wanted(People)) - {"refresh"} - set(vars(SharedPeople))  # `changes` tells every view
    assert not missing
