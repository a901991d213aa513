"""What each downloadable data set is: its folder, its four files, their checksums, its normalisation."""

from __future__ import annotations

from dataclasses import dataclass

SIDE = 28
TRAIN_COUNT = 60_000
"""Images of the published training set; train and validation split are made of them."""
VALIDATION_COUNT = 10_000
TEST_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class RawFile:
    """One IDX file of unsigned bytes, and what is published about it."""

    name: str
    shape: tuple[int, ...]
    """[N, 28, 28] for images, [N] for labels."""
    archive_md5: str
    """MD5 of the ``.gz`` archive it is published as."""
    sha256: str | None
    """SHA-256 of the file itself, where it is published."""

    @property
    def archive_name(self) -> str:
        """The archive, as torchvision leaves it beside the file."""
        return self.name + ".gz"


@dataclass(frozen=True, slots=True)
class Source:
    """One data set in torchvision's layout: ``<dataset_dir>/<folder>/raw`` holds its four files."""

    name: str
    folder: str
    """Also the name of the class in ``torchvision.datasets``."""
    mean: float
    std: float
    validation_count: int
    train_images: RawFile
    train_labels: RawFile
    test_images: RawFile
    test_labels: RawFile

    @property
    def files(self) -> tuple[RawFile, ...]:
        """The four files."""
        return (self.train_images, self.train_labels, self.test_images, self.test_labels)


def _published(
    name: str, folder: str, mean: float, std: float, md5: tuple[str, ...], sha256: tuple[str | None, ...]
) -> Source:
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    shapes = ((TRAIN_COUNT, SIDE, SIDE), (TRAIN_COUNT,), (TEST_COUNT, SIDE, SIDE), (TEST_COUNT,))
    files = [RawFile(*fields) for fields in zip(names, shapes, md5, sha256, strict=True)]
    return Source(name, folder, mean, std, VALIDATION_COUNT, *files)


MNIST = _published(
    "mnist",
    "MNIST",
    0.1307,
    0.3081,
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
FASHION_MNIST = _published(
    "fashion-mnist",
    "FashionMNIST",
    0.2860,
    0.3530,
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    (None, None, None, None),
)
KMNIST = _published(
    "kmnist",
    "KMNIST",
    0.1918,
    0.3483,
    (
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
    (None, None, None, None),
)
SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST, KMNIST)}
