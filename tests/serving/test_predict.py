from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from rankelastor.errors import DataError, RunError, StorageError
from rankelastor.execution.cores import compute_threads
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.schema import Batch
from rankelastor.serving.predict import predict
from rankelastor.training.run import train

NEW_ROWS = "site,device,price,user\na,phone,1.0,u1\na,tablet,1.0,u1\nnever seen,watch,,u9\n"


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> Path:
    learned = {"training.epochs": 30, "training.patience": 30, "model.ffn.dropout": 0.0}
    return train(with_overrides(recipe, learned), folder=tmp_path / "run").folder


def scored(run: Path, text: str, folder: Path, *, suffix: str = ".csv") -> pl.DataFrame:
    (folder / "new.csv").write_text(text)
    predict(run, folder / "new.csv", folder / f"scored{suffix}", overwrite=True)
    read = pl.read_parquet if suffix == ".parquet" else pl.read_csv
    return read(folder / f"scored{suffix}")


def test_the_same_rows_come_out_with_a_probability(run: Path, tmp_path: Path) -> None:
    frame = scored(run, NEW_ROWS, tmp_path)
    assert frame.columns == ["site", "device", "price", "user", "probability"]
    assert frame["site"].to_list() == ["a", "a", "never seen"]
    assert frame["price"].to_list() == [1.0, 1.0, None]
    assert frame["probability"].is_between(0, 1).all()


def test_a_changed_value_of_one_field_changes_the_probability(run: Path, tmp_path: Path) -> None:
    phone, tablet, _ = scored(run, NEW_ROWS, tmp_path)["probability"]
    assert phone > 0.5 > tablet


def test_the_label_and_columns_that_are_no_feature_pass_through(run: Path, tmp_path: Path) -> None:
    frame = scored(run, 'click,note,site,device,price,user\n1,"a, b",a,phone,1,u1\n', tmp_path)
    assert frame.row(0)[:3] == (1, "a, b", "a")


def test_parquet_in_and_out(run: Path, tmp_path: Path) -> None:
    from_csv = scored(run, NEW_ROWS, tmp_path)
    pl.read_csv(tmp_path / "new.csv").write_parquet(tmp_path / "new.parquet")
    assert predict(run, tmp_path / "new.parquet", tmp_path / "out.parquet") == 3
    from_parquet = pl.read_parquet(tmp_path / "out.parquet")
    assert from_parquet["probability"].to_list() == pytest.approx(from_csv["probability"].to_list(), abs=1e-7)


def test_compressed_output_goes_by_its_name(run: Path, tmp_path: Path) -> None:
    plain = scored(run, NEW_ROWS, tmp_path)
    zipped = scored(run, NEW_ROWS, tmp_path, suffix=".csv.gz")
    assert zipped.equals(plain)


def test_headerless_rows_may_lack_the_label(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "headerless"
    folder.mkdir()
    rows = (Path(recipe.data.files.folder) / "train.csv").read_text().split("\n", 1)[1].replace(",", "\t")
    (folder / "all.tsv").write_text(rows * 3)
    headerless = with_overrides(
        recipe,
        {
            "data.files": {"folder": str(folder), "all": "all.tsv"},
            "data.split": {"kind": "random", "valid": 0.3, "test": 0.3},
            "data.csv": {"header": False, "columns": ["click", "site", "device", "price", "user"]},
        },
    )
    run = train(headerless, folder=tmp_path / "run").folder
    with_label, without = tmp_path / "with.tsv", tmp_path / "without.tsv"
    with_label.write_text("1\ta\tphone\t1.0\tu1\n")
    without.write_text("a\tphone\t1.0\tu1\n")
    for file in (with_label, without):
        predict(run, file, file.with_suffix(".out.tsv"))
    first = with_label.with_suffix(".out.tsv").read_text().strip().split("\t")
    second = without.with_suffix(".out.tsv").read_text().strip().split("\t")
    assert first[:5] == ["1", "a", "phone", "1.0", "u1"]
    assert second == first[1:]


def test_a_run_predicts_after_its_prepared_folder_is_gone(run: Path, recipe: Recipe, tmp_path: Path) -> None:
    before = scored(run, NEW_ROWS, tmp_path)
    Path(recipe.data.prepared).rename(tmp_path / "moved")
    assert scored(run, NEW_ROWS, tmp_path).equals(before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("site,device,user\na,phone,u1\n", r"new\.csv.*price"),
        ("site,device,price,user\na,phone,cheap,u1\n", r"new\.csv.*price.*row 1.*'cheap'|row 1.*price.*'cheap'"),
        ("site,device,price,user\na,phone,1,u1\na,phone\n", r"new\.csv.*row 2"),
        ("site,device,price,user,probability\na,phone,1,u1,0.5\n", "must not have a column `probability`"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_left(run: Path, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        scored(run, text, tmp_path)
    assert not [path.name for path in tmp_path.iterdir() if "scored" in path.name]


def test_no_more_rows_than_an_evaluation_batch_pass_at_a_time(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    forward = FieldEmbedding.forward

    def counted(self: FieldEmbedding, batch: Batch) -> Embedded:
        sizes.append(batch.num_examples)
        return forward(self, batch)

    monkeypatch.setattr(FieldEmbedding, "forward", counted)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("evaluation_batch_size: 8192", "evaluation_batch_size: 2"))
    assert scored(run, NEW_ROWS, tmp_path).height == 3
    assert sizes == [2, 1]


def test_all_pieces_of_a_file_are_scored_by_the_same_threads(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[Executor] = []

    def counted(_num_threads: int) -> Executor:
        pools.append(compute_threads(2))
        return pools[-1]

    monkeypatch.setattr("rankelastor.evaluation.scoring.compute_threads", counted)
    monkeypatch.setattr("rankelastor.data.raw.parquet_file.BATCH_ROWS", 300)
    rows = {"site": ["a", "b"], "device": ["phone", "tablet"], "price": [1.0, 2.0], "user": ["u1", "u2"]}
    pl.DataFrame(rows).select(pl.all().repeat_by(300).list.explode()).write_parquet(tmp_path / "new.parquet")
    assert predict(run, tmp_path / "new.parquet", tmp_path / "out.parquet") == 600
    assert len(pools) == 1
    with pytest.raises(RuntimeError, match="after shutdown"):
        pools[0].submit(int)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("source", [".csv", ".parquet"])
def test_no_rows_give_no_rows_with_all_columns(run: Path, tmp_path: Path, source: str, suffix: str) -> None:
    (tmp_path / "new.csv").write_text("site,device,price,user\n")
    pl.DataFrame(schema=dict.fromkeys(["site", "device", "price", "user"], pl.String)).write_parquet(
        tmp_path / "new.parquet"
    )
    assert predict(run, tmp_path / f"new{source}", tmp_path / f"out{suffix}") == 0
    frame = (pl.read_parquet if suffix == ".parquet" else pl.read_csv)(tmp_path / f"out{suffix}")
    assert frame.columns == ["site", "device", "price", "user", "probability"]
    assert frame.height == 0


def test_a_list_column_cannot_go_into_csv(run: Path, tmp_path: Path) -> None:
    frame = pl.DataFrame({"site": ["a"], "device": ["phone"], "price": [1.0], "seen": [[1, 2]]})
    frame.write_parquet(tmp_path / "new.parquet")
    with pytest.raises(DataError, match=r"column 'seen' must hold single texts or numbers .* ends in \.parquet"):
        predict(run, tmp_path / "new.parquet", tmp_path / "out.csv")
    assert predict(run, tmp_path / "new.parquet", tmp_path / "out.parquet") == 1


def test_an_output_that_is_a_folder_is_an_error(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(NEW_ROWS)
    with pytest.raises(StorageError, match=r"the output must be a file, but .* is a folder"):
        predict(run, tmp_path / "new.csv", tmp_path, overwrite=True)


def test_an_output_that_exists_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(NEW_ROWS)
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(
        StorageError, match=r"must be a new file, but .*out\.csv exists; try overwrite=True to replace it"
    ):
        predict(run, tmp_path / "new.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "mine"


def test_threads_that_write_one_file_leave_a_whole_one(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(NEW_ROWS)
    predict(run, tmp_path / "new.csv", tmp_path / "alone.csv")
    with ThreadPoolExecutor(4) as pool:
        calls = [
            pool.submit(predict, run, tmp_path / "new.csv", tmp_path / "out.csv", overwrite=True) for _ in range(4)
        ]
        assert [call.result() for call in calls] == [3] * 4
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()
    assert not list(tmp_path.glob(".out.csv*"))


def test_a_missing_run_or_input_is_an_error(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"the run folder .*nowhere does not exist"):
        predict(tmp_path / "nowhere", tmp_path / "new.csv", tmp_path / "out.csv")
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        predict(run, tmp_path / "nowhere.csv", tmp_path / "out.csv")
