"""Shapes in annotations are checked in all packages while tests run; an annotation that cannot be read would not be."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import torch
from jaxtyping import TypeCheckError
from tests.shape_checks import tells_a_shape
from torch import nn

import rankelastor
from rankelastor import errors
from rankelastor.models.ranker import Ranker
from rankelastor.nn.activation import activation
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.norm import rms_norm
from rankelastor.schema import Batch

SOURCE = Path(rankelastor.__file__).parent
_ARRAY = re.compile(r"\b(Float\d*|Int\d*|UInt\d*|Integer|Bool|Num|Shaped|Real)\[")
MODULES = [
    module.name
    for module in walk_packages(rankelastor.__path__, prefix="rankelastor.")
    if "__main__" not in module.name
]


def file_of(module: str) -> Path:
    path = SOURCE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def annotations_of(tree: ast.AST) -> list[str]:
    """All annotations of arguments, results and fields, as text."""
    found: list[ast.expr | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
                found.append(annotation)
            case ast.FunctionDef(returns=returns):
                found.append(returns)
    return [ast.unparse(annotation) for annotation in found if annotation is not None]


@pytest.mark.parametrize("name", MODULES)
def test_every_annotation_of_a_shape_can_be_read_when_the_program_runs(name: str) -> None:
    """What is imported for mypy alone is not there at run time, and what it annotates would go unchecked."""
    module = import_module(name)
    for annotation in annotations_of(ast.parse(file_of(name).read_text(encoding="utf-8"))):
        if _ARRAY.search(annotation):
            hint = eval(annotation, dict(vars(module)))
            assert tells_a_shape(hint), f"{name}: {annotation}"


def test_shapes_are_checked_in_all_packages() -> None:
    with_shapes = [name for name in MODULES if _ARRAY.search(file_of(name).read_text(encoding="utf-8"))]
    assert {name.split(".")[1] for name in with_shapes} >= {"nn", "metrics", "models", "execution", "optimisers"}
    for name in with_shapes:
        assert "jaxtyping" in vars(import_module(name)), f"{name} was imported before its shapes were to be checked"


def test_a_result_of_another_shape_is_refused() -> None:
    class Wrong(nn.Module):
        def forward(self, embedded: Embedded) -> torch.Tensor:
            return embedded.fields.new_zeros(3)

    ranker = Ranker(embedding=FieldEmbedding(num_ids=[3], num_numeric=0, embedding_dim=2), network=Wrong())
    ids = torch.ones(3, 1, dtype=torch.int32)
    with pytest.raises(TypeCheckError, match="return value"):
        ranker(Batch(categorical=ids, numeric=torch.ones(3, 0), labels=None, group=None))


def test_functions_without_shapes_are_left_as_they_are() -> None:
    assert not hasattr(errors.RankElastorError.__init__, "__wrapped__")
    assert not hasattr(activation, "__wrapped__")
    assert hasattr(rms_norm, "__wrapped__")
