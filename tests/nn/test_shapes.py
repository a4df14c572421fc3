"""Inputs of a wrong rank or shape are refused by every layer, while shapes are checked: a table of all layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import torch
from jaxtyping import TypeCheckError
from tests.nn.shape_entries import FIELDS, TOKENS, Entry, Shape, of_fields, of_tokens
from tests.nn.shape_entries_mixers import MIXERS, SCORES
from tests.nn.shape_entries_sequences import SEQUENCES, TASKS
from torch import Tensor, nn

import rankelastor.nn
from rankelastor.nn.around_network import AroundNetwork
from rankelastor.nn.batch_norm import BatchNorm
from rankelastor.nn.block import Block
from rankelastor.nn.dropout import Dropout, PerTokenDropout
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.embedding.field_matrix import FieldMatrix
from rankelastor.nn.embedding.field_norm import FieldNorm
from rankelastor.nn.embedding.periodic import PeriodicNumbers
from rankelastor.nn.embedding.piecewise_linear import PiecewiseLinear
from rankelastor.nn.embedding.pretrained import PretrainedEmbedding
from rankelastor.nn.embedding.value_rates import ValueRates
from rankelastor.nn.ffn.gate import PaperGate, PublishedGate, UnitExpansionGate
from rankelastor.nn.ffn.glu import PerTokenGlu, PerTokenGluLayer
from rankelastor.nn.ffn.hyper_connections import HyperConnectedGlu, HyperConnection, HyperGluLayer
from rankelastor.nn.ffn.mlp import PerTokenMlp, PerTokenMlpLayer
from rankelastor.nn.ffn.residual import ResidualFfn
from rankelastor.nn.head import LinearHead, MeanHead, MlpHead
from rankelastor.nn.interaction.attention import FieldAttention
from rankelastor.nn.interaction.bilinear import BilinearInteraction
from rankelastor.nn.interaction.cin import CinLayer, CompressedInteractionNetwork
from rankelastor.nn.interaction.cross import CrossExperts, CrossLayer, CrossNetwork, MixtureCrossNetwork
from rankelastor.nn.interaction.factorized import FactorizedInteraction
from rankelastor.nn.interaction.field_gate import FieldGate
from rankelastor.nn.interaction.first_order import FirstOrder
from rankelastor.nn.interaction.flat import CinInteraction, CrossInteraction, FlatInteraction
from rankelastor.nn.interaction.fusion import BilinearFusion
from rankelastor.nn.interaction.mask_block import MaskBlock
from rankelastor.nn.interaction.squeeze import SqueezeExcitation
from rankelastor.nn.mixing.block import BlockMixing, PlainMatrix
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.identity import IdentityMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing
from rankelastor.nn.mixing.low_rank import LowRankMixing
from rankelastor.nn.mixing.rotation import EigenvalueRotation
from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.mixing.unimixer import SinkhornMaps
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.offset import WithOffset
from rankelastor.nn.per_token import PerTokenLinear, PerTokenMap, PerTokenRMSNorm
from rankelastor.nn.projection import Projection, ProjectionLayer
from rankelastor.nn.sequence.encoded_features import SequenceNetwork
from rankelastor.nn.sequence.layer import SequenceLayer
from rankelastor.nn.shallow_tower import WithShallowTower
from rankelastor.nn.tasks.mmoe import MultiGateExperts
from rankelastor.nn.tasks.ple import ProgressiveExtraction
from rankelastor.nn.tasks.product import WithProducts
from rankelastor.nn.tasks.shared_bottom import SeparateNetworks, SharedBottom
from rankelastor.nn.tokenizer.grouped import GroupedTokenizer
from rankelastor.nn.tokenizer.joint import JointTokenizer
from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
from rankelastor.nn.tokenizer.split import SplitTokenizer
from rankelastor.schema import Batch

TESTS = Path(__file__).parents[1]


def assembled(layer: nn.Module, found: Tensor) -> Tensor:
    """Put rows found together with the ids and numbers of two examples."""
    assert isinstance(layer, FieldEmbedding)
    ids = torch.ones(2, 1, dtype=torch.int32)
    sequence = torch.ones(2, 2, dtype=torch.int32)
    batch = Batch(categorical=ids, numeric=torch.ones(2, 1), labels=None, group=None, sequence=sequence)
    return layer.assemble(found, batch).fields


def glu_layer() -> PerTokenGluLayer:
    return PerTokenGluLayer(num_tokens=3, in_dim=6, out_dim=8, expansion=2.0, gate="published", norm=True, dropout=0.1)


def mlp_layer() -> PerTokenMlpLayer:
    return PerTokenMlpLayer(num_tokens=3, in_dim=6, out_dim=8, activation="gelu", norm=True, dropout=0.1)


def grouped() -> GroupedTokenizer:
    groups = {"x": ["a"], "y": ["b", "c"], "z": ["d"]}
    return GroupedTokenizer(groups=groups, field_names=list("abcd"), embedding_dim=6, num_tokens=3, token_dim=6)


ENTRIES: dict[type[nn.Module], Entry] = {
    Block: of_tokens(
        lambda: Block(mixing=FullMixing(**TOKENS), ffn=PerTokenMlp(**TOKENS, hidden_dims=[8]), token_dim=6)
    ),
    SplitMixing: of_tokens(lambda: SplitMixing(**TOKENS), sizes=((2, 3, 9), (2, 3, 5), (2, 4, 6))),
    FullMixing: of_tokens(lambda: FullMixing(**TOKENS)),
    LowRankMixing: of_tokens(lambda: LowRankMixing(**TOKENS, rank=2)),
    KroneckerMixing: of_tokens(lambda: KroneckerMixing(**TOKENS, num_groups=2, norm="pre")),
    BlockMixing: of_tokens(lambda: BlockMixing(**TOKENS, block_dim=9)),
    IdentityMixing: of_tokens(IdentityMixing, sizes=()),
    PublishedGate: of_tokens(lambda: PublishedGate(num_tokens=3, dim=6, inner_dim=9)),
    UnitExpansionGate: of_tokens(lambda: UnitExpansionGate(num_tokens=3, dim=6)),
    PaperGate: of_tokens(lambda: PaperGate(num_tokens=3, dim=6, inner_dim=9)),
    PerTokenMlp: of_tokens(lambda: PerTokenMlp(**TOKENS, hidden_dims=[8])),
    PerTokenMlpLayer: of_tokens(mlp_layer, out=(2, 3, 8)),
    PerTokenGlu: of_tokens(lambda: PerTokenGlu(**TOKENS, hidden_dims=[8])),
    PerTokenGluLayer: of_tokens(glu_layer, out=(2, 3, 8)),
    ResidualFfn: of_tokens(lambda: ResidualFfn(PerTokenMlp(**TOKENS, hidden_dims=[8]))),
    PerTokenLinear: of_tokens(lambda: PerTokenLinear(num_tokens=3, in_dim=6, out_dims=[4, 1]), out=(2, 3, 5)),
    PerTokenRMSNorm: of_tokens(lambda: PerTokenRMSNorm(num_tokens=3, dim=6)),
    PerTokenDropout: of_tokens(lambda: PerTokenDropout(0.5), sizes=()),
    MlpHead: of_tokens(lambda: MlpHead(**TOKENS), out=(2, 1)),
    LinearHead: of_tokens(lambda: LinearHead(**TOKENS, num_tasks=2), out=(2, 2)),
    MeanHead: of_tokens(lambda: MeanHead(num_tasks=2), out=(2, 2), sizes=()),
    SplitTokenizer: of_fields(lambda: SplitTokenizer(**FIELDS, **TOKENS)),
    JointTokenizer: of_fields(lambda: JointTokenizer(**FIELDS, **TOKENS)),
    GroupedTokenizer: of_fields(grouped),
    ReshapeTokenizer: of_fields(lambda: ReshapeTokenizer(**FIELDS, num_tokens=3, token_dim=8), out=(2, 3, 8)),
    Projection: Entry(
        lambda: Projection(in_dim=6, hidden_dims=[5], out_dim=4), (2, 6), (2, 4), ((),), ((2, 5), (2, 1))
    ),
    ProjectionLayer: Entry(
        lambda: ProjectionLayer(in_dim=6, out_dim=4, activation="relu", norm=True, dropout=0.1),
        (2, 6),
        (2, 4),
        ((),),
        ((2, 5), (2, 1)),
    ),
    RMSNorm: Entry(lambda: RMSNorm(6), (2, 6), (2, 6), ((),), ((2, 5), (2, 1))),
    Dropout: Entry(lambda: Dropout(0.5), (2, 6), (2, 6), (), ()),
    CrossNetwork: Entry(
        lambda: CrossNetwork(width=6, num_layers=2), (2, 6), (2, 6), ((6,), (1, 2, 6)), ((2, 5), (2, 1))
    ),
    CrossLayer: Entry(
        lambda: CrossLayer(width=6),
        (2, 6),
        (2, 6),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 1), (1, 6)),
        call=lambda layer, x: layer(torch.ones(2, 6), x),
    ),
    FieldEmbedding: Entry(
        lambda: FieldEmbedding(num_ids=[3, 4], num_numeric=1, embedding_dim=5, max_lengths=[2]),
        (2, 3, 5),
        (2, 3, 5),
        ((3, 5), (2, 15), (1, 2, 3, 5)),
        ((2, 4, 5), (2, 2, 5), (2, 3, 4), (3, 3, 5)),
        call=assembled,
    ),
    PeriodicNumbers: Entry(
        lambda: PeriodicNumbers(num_numbers=3, embedding_dim=5),
        (2, 3),
        (2, 3, 5),
        ((3,), (1, 2, 3)),
        ((2, 4), (2, 2)),
    ),
    BatchNorm: Entry(lambda: BatchNorm(6), (2, 6), (2, 6), ((6,), (1, 2, 6)), ((2, 5), (2, 1))),
    FieldMatrix: Entry(FieldMatrix, (2, 4, 6), (2, 4, 6), ((4, 6), (1, 2, 4, 6)), ()),
    FieldNorm: of_fields(lambda: FieldNorm(num_fields=4, dim=6), out=(2, 4, 6)),
    HyperConnection: Entry(
        lambda: HyperConnection(num_tokens=3, dim=6, num_streams=2, gate=nn.Identity()),
        (2, 2, 3, 6),
        (2, 2, 3, 6),
        ((2, 3, 6), (1, 2, 2, 3, 6)),
        ((2, 3, 3, 6), (2, 2, 4, 6), (2, 2, 3, 5)),
    ),
    HyperGluLayer: Entry(
        lambda: HyperGluLayer(
            num_tokens=3, in_dim=6, out_dim=8, num_streams=2, expansion=2.0, norm=True, dropout=0.1, bias=True
        ),
        (2, 2, 3, 6),
        (2, 2, 3, 8),
        ((2, 3, 6), (1, 2, 2, 3, 6)),
        ((2, 3, 3, 6), (2, 2, 4, 6), (2, 2, 3, 5)),
    ),
    HyperConnectedGlu: of_tokens(lambda: HyperConnectedGlu(**TOKENS, hidden_dims=[8], num_streams=2)),
    FieldAttention: Entry(
        lambda: FieldAttention(in_dim=6, attention_dim=8, num_heads=2),
        (2, 4, 6),
        (2, 4, 8),
        ((4, 6), (1, 2, 4, 6)),
        ((2, 4, 5), (2, 4, 7)),
    ),
    BilinearInteraction: Entry(
        lambda: BilinearInteraction(**FIELDS), (2, 4, 6), (2, 6, 6), ((4, 6), (1, 2, 4, 6)), ((2, 4, 5), (2, 4, 7))
    ),
    CinLayer: Entry(
        lambda: CinLayer(num_fields=4, in_dim=3, out_dim=5),
        (2, 4, 6),
        (2, 5, 6),
        ((4, 6), (1, 2, 4, 6)),
        ((2, 5, 6), (2, 1, 6)),
        lambda layer, x: layer(x, x[..., :3, :]),
    ),
    CompressedInteractionNetwork: Entry(
        lambda: CompressedInteractionNetwork(num_fields=4, layer_dims=[5, 3]),
        (2, 4, 6),
        (2, 8),
        ((4, 6), (1, 2, 4, 6)),
        ((2, 5, 6), (2, 1, 6)),
    ),
    CrossExperts: Entry(
        lambda: CrossExperts(width=6, rank=2, num_experts=3),
        (2, 6),
        (2, 6),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 1)),
        lambda layer, x: layer(x, x, torch.ones(2, 3)),
    ),
    MixtureCrossNetwork: Entry(
        lambda: MixtureCrossNetwork(width=6, num_layers=2, rank=2, num_experts=3),
        (2, 6),
        (2, 6),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 1)),
    ),
    FactorizedInteraction: Entry(
        lambda: FactorizedInteraction(in_dim=6, out_dim=8), (2, 6), (2, 8), ((6,), (1, 2, 6)), ((2, 5), (2, 1))
    ),
    FieldGate: Entry(
        lambda: FieldGate(num_fields=4), (2, 4, 6), (2, 8, 6), ((4, 6), (1, 2, 4, 6)), ((2, 5, 6), (2, 1, 6))
    ),
    FirstOrder: Entry(FirstOrder, (2, 4, 1), (2, 1), ((4, 1), (1, 2, 4, 1)), ()),
    FlatInteraction: Entry(lambda: FlatInteraction(**FIELDS), (2, 4, 6), (2, 24), ((4, 6), (1, 2, 4, 6)), ()),
    CrossInteraction: of_fields(lambda: CrossInteraction(**FIELDS), out=(2, 24)),
    CinInteraction: Entry(
        lambda: CinInteraction(**FIELDS), (2, 4, 6), (2, 32), ((4, 6), (1, 2, 4, 6)), ((2, 5, 6), (2, 1, 6))
    ),
    BilinearFusion: Entry(
        lambda: BilinearFusion(first_dim=6, second_dim=4, num_heads=2),
        (2, 6),
        (2, 1),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 8)),
        lambda layer, x: layer(x, torch.ones(2, 4)),
    ),
    MaskBlock: Entry(
        lambda: MaskBlock(embedded_dim=6, in_dim=4, out_dim=5),
        (2, 6),
        (2, 5),
        ((6,), (1, 2, 6)),
        ((2, 5), (2, 1)),
        lambda layer, x: layer(x, torch.ones(2, 4)),
    ),
    SqueezeExcitation: Entry(
        lambda: SqueezeExcitation(num_fields=4), (2, 4, 6), (2, 4, 6), ((4, 6), (1, 2, 4, 6)), ((2, 5, 6), (2, 1, 6))
    ),
    EigenvalueRotation: of_tokens(lambda: EigenvalueRotation(**TOKENS), sizes=((2, 3, 5), (2, 3, 1))),
    PerTokenMap: of_tokens(lambda: PerTokenMap(num_tokens=3, in_dim=6, out_dims=[8]), out=(2, 3, 8)),
    **MIXERS,
    **SEQUENCES,
    **TASKS,
}
"""For each layer that takes a tensor of numbers."""

WITHOUT_INPUT: dict[type[nn.Module], tuple[Callable[[], nn.Module], Shape]] = {
    PlainMatrix: (lambda: PlainMatrix(size=3), (3, 3)),
    DoublyStochasticMatrix: (lambda: DoublyStochasticMatrix(size=3), (3, 3)),
    **SCORES,
}
"""Layers that give square matrices, and the shape of what they give."""

OF_IDS: dict[type[nn.Module], Callable[[], nn.Module]] = {
    PretrainedEmbedding: lambda: PretrainedEmbedding(num_ids=3, dim=5, embedding_dim=4, trained=True)
}
"""Layers that take ids of any shape."""

WITHOUT_SHAPES: dict[type[nn.Module], tuple[str, str]] = {
    PiecewiseLinear: ("it takes rows and positions", "nn/embedding/test_piecewise_linear.py"),
    SinkhornMaps: ("it takes nothing and returns two tensors", "nn/mixing/test_unimixer.py"),
    SequenceLayer: ("it is abstract", "nn/sequence/test_encoder.py"),
    AroundNetwork: ("it is abstract", "nn/test_offset.py"),
    SequenceNetwork: ("it takes embedded features", "models/test_sequences.py"),
    WithOffset: ("it takes embedded features", "nn/test_offset.py"),
    ValueRates: ("it takes a batch", "nn/embedding/test_value_rates.py"),
    WithShallowTower: ("it takes embedded features", "models/test_shallow_tower.py"),
    SharedBottom: ("it takes embedded features", "models/test_tasks.py"),
    SeparateNetworks: ("it takes embedded features", "models/test_tasks.py"),
    MultiGateExperts: ("it takes embedded features", "nn/tasks/test_mmoe.py"),
    ProgressiveExtraction: ("it takes embedded features", "nn/tasks/test_ple.py"),
    WithProducts: ("it takes embedded features", "models/test_tasks.py"),
}
"""Layers whose own input is no tensor, with the reason and the tests that cover them."""


def layers_of_the_package() -> Iterator[type[nn.Module]]:
    for module in walk_packages(rankelastor.nn.__path__, prefix="rankelastor.nn."):
        for name, value in vars(import_module(module.name)).items():
            is_ours = inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == module.name
            if is_ours and not name.startswith("_"):
                yield value


def test_every_layer_has_an_entry_and_every_entry_is_a_layer() -> None:
    tables = {*ENTRIES, *WITHOUT_INPUT, *OF_IDS, *WITHOUT_SHAPES}
    assert tables == set(layers_of_the_package()), "add an entry to this file's tables"


def test_layers_without_shapes_are_tested_elsewhere() -> None:
    missing = [test for _, test in WITHOUT_SHAPES.values() if not (TESTS / test).is_file()]
    assert missing == []


each_layer = pytest.mark.parametrize("kind", ENTRIES, ids=lambda kind: kind.__name__)


@each_layer
def test_the_right_shape_is_taken_and_gives_the_shape_that_is_promised(kind: type[nn.Module]) -> None:
    entry = ENTRIES[kind]
    layer = entry.make()
    assert type(layer) is kind
    assert entry.call(layer, torch.randn(entry.shape)).shape == entry.out


@each_layer
def test_a_wrong_rank_is_refused(kind: type[nn.Module]) -> None:
    entry = ENTRIES[kind]
    for shape in entry.ranks:
        with pytest.raises(TypeCheckError):
            entry.call(entry.make(), torch.randn(shape))


@each_layer
def test_a_wrong_size_is_refused(kind: type[nn.Module]) -> None:
    entry = ENTRIES[kind]
    for shape in entry.sizes:
        with pytest.raises((TypeCheckError, RuntimeError, ValueError, AssertionError)):
            entry.call(entry.make(), torch.randn(shape))


@each_layer
def test_integers_are_refused(kind: type[nn.Module]) -> None:
    entry = ENTRIES[kind]
    with pytest.raises(TypeCheckError):
        entry.call(entry.make(), torch.ones(entry.shape, dtype=torch.int64))


@pytest.mark.parametrize("kind", WITHOUT_INPUT, ids=lambda kind: kind.__name__)
def test_matrices_are_square_and_take_nothing(kind: type[nn.Module]) -> None:
    make, shape = WITHOUT_INPUT[kind]
    layer = make()
    assert layer().shape == shape
    with pytest.raises(TypeError):
        layer(torch.ones(3, 3))


@pytest.mark.parametrize("kind", OF_IDS, ids=lambda kind: kind.__name__)
def test_ids_may_have_any_shape_and_must_be_integers(kind: type[nn.Module]) -> None:
    layer = OF_IDS[kind]()
    assert layer(torch.ones(2, dtype=torch.int32)).shape == (2, 4)
    assert layer(torch.ones(2, 3, dtype=torch.int64)).shape == (2, 3, 4)
    with pytest.raises(TypeCheckError):
        layer(torch.ones(2))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("categorical", (2,)),
        ("numeric", (2,)),
        ("numeric", (3, 1)),
        ("sequence", (2,)),
        ("labels", (2,)),
        ("weight", (2, 1)),
    ],
)
def test_a_batch_of_wrong_shapes_cannot_be_made(name: str, shape: Shape) -> None:
    right = {
        "categorical": torch.ones(2, 1, dtype=torch.int32),
        "numeric": torch.ones(2, 1),
        "labels": torch.ones(2, 1),
        "group": None,
    }
    Batch(**right)  # type: ignore[arg-type]
    dtype = torch.int32 if name in {"categorical", "sequence"} else torch.float32
    with pytest.raises(TypeCheckError):
        Batch(**right | {name: torch.ones(shape, dtype=dtype)})  # type: ignore[arg-type]
