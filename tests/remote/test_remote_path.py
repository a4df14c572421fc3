from pathlib import Path

import pytest

from rankelastor.errors import DataError, RemoteError
from rankelastor.remote.remote_path import RemotePath, joined, mapped, place_of


def test_a_remote_path_has_the_parts_of_its_address() -> None:
    path = RemotePath.of("s3a://clicks//2024/./part-0.tsv.gz")
    assert (str(path), path.name, path.suffixes) == ("s3://clicks/2024/part-0.tsv.gz", "part-0.tsv.gz", [".tsv", ".gz"])
    assert path.parts == ("clicks", "2024", "part-0.tsv.gz")
    assert str(path.parent.parent) == "s3://clicks"
    assert path.is_relative_to(RemotePath.of("s3://clicks"))
    assert not path.is_relative_to(RemotePath.of("s3://clicks/20"))
    assert not path.is_relative_to(Path("/clicks"))
    assert path.relative_to(RemotePath.of("s3://clicks")).as_posix() == "2024/part-0.tsv.gz"
    assert str(RemotePath.of("hdfs://name:8020/logs/a.csv").inner) == "/logs/a.csv"


def test_a_file_is_written_read_listed_and_removed(bucket: RemotePath, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 40_000)
    (bucket / "x/a.bin").upload(tmp_path / "a.bin")
    (bucket / "x/y/b.txt").write_bytes(b"two")
    assert (bucket / "x/a.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()
    assert (bucket / "x/a.bin").stat().st_size == 256 * 40_000
    assert (bucket / "x/a.bin").stat().st_mtime_ns > 0
    assert (bucket / "x").files_below() == [bucket / "x/a.bin", bucket / "x/y/b.txt"]
    assert (bucket / "x").sizes_below() == {"a.bin": 10_240_000, "y/b.txt": 3}
    assert (bucket / "x").names() == ["a.bin", "y"]
    assert ((bucket / "x").is_dir(), (bucket / "x").is_file(), (bucket / "z").exists()) == (True, False, False)
    (bucket / "x/y/b.txt").unlink()
    assert not (bucket / "x/y/b.txt").exists()


def test_a_file_is_read_in_order_and_at_any_place(bucket: RemotePath) -> None:
    file = bucket / "a.txt"
    file.write_bytes(b"0123456789")
    with file.open("rb") as opened:
        assert (opened.read(3), opened.seek(8), opened.read()) == (b"012", 8, b"89")
    with file.stream() as stream:
        assert (stream.read(4), stream.tell(), stream.read()) == (b"0123", 4, b"456789")
    with mapped(file) as stored:
        assert stored.read_at(2, 5) == b"56"


def test_marks_match_within_a_part_and_two_stars_match_any(bucket: RemotePath) -> None:
    for name in ("dt=1/a.csv", "dt=1/b.txt", "dt=2/h=0/a.csv", "other/a.csv"):
        (bucket / "log" / name).write_bytes(b"x")

    def found(pattern: str) -> list[str]:
        base = bucket / "log"
        return [path.relative_to(base).as_posix() for path in (base / pattern).glob_below()]

    assert found("dt=*/*.csv") == ["dt=1/a.csv"]
    assert found("dt=?") == ["dt=1", "dt=2"]
    assert found("**/a.csv") == ["dt=1/a.csv", "dt=2/h=0/a.csv", "other/a.csv"]
    assert found("dt=[2-9]/**/*.csv") == ["dt=2/h=0/a.csv"]
    assert found("none*") == []


def test_what_does_not_exist_is_a_missing_file_or_a_missing_bucket(bucket: RemotePath) -> None:
    with pytest.raises(FileNotFoundError, match="it does not exist"):
        (bucket / "a.csv").stat()
    with pytest.raises(FileNotFoundError):
        (bucket / "a.csv").read_bytes()
    (bucket / "a.csv").require_bucket()
    missing = RemotePath.of("s3://no-such-bucket-here/a.csv")
    with pytest.raises(RemoteError, match="there is no bucket no-such-bucket-here; check its name"):
        missing.require_bucket()
    with pytest.raises(RemoteError, match="there is no bucket no-such-bucket-here"):
        missing.write_bytes(b"x")


def test_a_place_is_a_path_or_an_address_that_can_be_opened() -> None:
    assert place_of("a/b.csv", what="x", error=DataError) == Path("a/b.csv")
    assert place_of(Path("s3://clicks/a.csv"), what="x", error=DataError) == RemotePath("s3", "clicks", "a.csv")
    assert str(place_of("gcs://clicks/a.csv", what="x", error=DataError)) == "gs://clicks/a.csv"
    with pytest.raises(
        DataError, match=r"the input must be a path, or an address of s3://, gs:// or hdfs://, but ftp:"
    ):
        place_of("ftp://host/a.csv", what="the input", error=DataError)
    with pytest.raises(DataError, match=r"the input must name a bucket, as s3://BUCKET/PATH does, but s3:///a.csv"):
        place_of("s3:///a.csv", what="the input", error=DataError)
    with pytest.raises(DataError, match=r"try /data/a\.csv"):
        place_of("file:///data/a.csv", what="the input", error=DataError)


def test_addresses_and_paths_from_the_root_do_not_count_from_a_folder() -> None:
    folder = RemotePath.of("s3://clicks/2024")

    def join(start: Path | RemotePath, place: str) -> str:
        return str(joined(start, place, what="files.all", error=DataError))

    assert join(folder, "a.csv") == "s3://clicks/2024/a.csv"
    assert join(folder, "s3://other/a.csv") == "s3://other/a.csv"
    assert join(folder, "/data/a.csv") == "/data/a.csv"
    assert join(Path("/data"), "a.csv") == "/data/a.csv"
    assert join(Path("/data"), "s3://other/a.csv") == "s3://other/a.csv"
