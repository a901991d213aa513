import gzip
import io
import tarfile

from psa_tui.aws.source_archive import build_source_archive, source_files, source_root

CANARY = "CANARY-do-not-upload"


def tree(root):
    for name in (
        "psa_tui/__init__.py",
        "psa_tui/studies/grids.py",
        "psa_tui/studies/recipes/first.txt",
        "aws/sagemaker/train.py",
        "aws/sagemaker/requirements.txt",
        "pyproject.toml",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    return root


def names(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return opened.getnames()


def test_nothing_but_the_listed_kinds_of_files_is_uploaded(tmp_path):
    wanted = names(build_source_archive(tree(tmp_path)))
    for name in (
        ".env",
        "secrets.py",
        "aws/sagemaker/.env",
        "aws/sagemaker/notes.py",
        "psa_tui/.env",
        "psa_tui/.hidden.py",
        "psa_tui/.cache/module.py",
        "psa_tui/credentials",
        "psa_tui/key.pem",
        "psa_tui/studies/recipes/.env",
        "psa_tui/studies/notes.txt",
        "psa_tui/results.sqlite",
        "results/history.sqlite",
        "results/aws/launches.json",
        "models/mnist_lkg.safetensors",
        "dataset/MNIST/raw/images",
        "tests/test_x.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(CANARY)
    outside = tmp_path.with_name(tmp_path.name + "-outside")
    outside.mkdir()
    (outside / "module.py").write_text(CANARY)
    (tmp_path / "psa_tui" / "link.py").symlink_to(outside / "module.py")
    (tmp_path / "psa_tui" / "linked").symlink_to(outside)
    archive = build_source_archive(tmp_path)
    assert names(archive) == wanted
    assert CANARY.encode() not in gzip.decompress(archive)


def test_the_same_sources_give_the_same_bytes_wherever_and_whenever(tmp_path):
    import os

    first, second = tree(tmp_path / "a"), tree(tmp_path / "b")
    for path in second.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    archive = build_source_archive(first)
    assert archive == build_source_archive(second)
    (second / "psa_tui" / "__init__.py").write_text("changed")
    assert archive != build_source_archive(second)


def test_the_program_itself_is_in_its_archive_and_nothing_of_its_data():
    found = source_files(source_root())
    assert {"aws/sagemaker/train.py", "psa_tui/studies/training.py", "psa_tui/studies/recipes/published.txt"} <= set(
        found
    )
    assert [name for name in found if not name.endswith(".py")] == [
        "aws/sagemaker/requirements.txt",
        "psa_tui/studies/recipes/first.txt",
        "psa_tui/studies/recipes/published.txt",
        "pyproject.toml",
    ]
