"""One name for one thing: the classes of the package have names of their own."""

import ast
from collections import defaultdict

from tests.source_tree import PACKAGE, modules, parse

# A component has one of the two, and an app finds the same names in both.
GENERATIONS = ("guest/wasi02/", "guest/wasi03/")


def test_a_public_class_name_means_one_class() -> None:
    """Whoever reads a class name knows the module, without looking at the imports."""
    places = defaultdict(set)
    for path in modules(PACKAGE):
        place = path.relative_to(PACKAGE).as_posix()
        for generation in GENERATIONS:
            place = place.replace(generation, "guest/")
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(place)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
