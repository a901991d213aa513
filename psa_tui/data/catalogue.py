"""The data sets of this package: what each is, its files and their checksums, its normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from psa_tui.data.spec import DATASETS, Dataset, DatasetSpec, Say

_SIDE = 28
_CLASSES = 10
_PUBLISHED_TRAIN_COUNT = 60_000
"""Images of a published training set; train and validation split are made of them."""
_TRAIN_COUNT = 50_000
_TEST_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class IdxFile:
    """One IDX file of unsigned bytes, and what is published about it."""

    name: str
    shape: tuple[int, ...]
    """[N, rows, columns] for images, [N] for labels."""
    archive_md5: str
    """MD5 of the ``.gz`` archive it is published as."""
    sha256: str | None
    """SHA-256 of the file itself, where it is published."""

    @property
    def archive_name(self) -> str:
        """The archive, as torchvision leaves it beside the file."""
        return self.name + ".gz"


@dataclass(frozen=True, slots=True)
class IdxFiles:
    """The four files of a data set in torchvision's layout: they are in ``<dataset_dir>/<folder>/raw``."""

    folder: str
    """Also the name of the class in ``torchvision.datasets``."""
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile

    @property
    def all(self) -> tuple[IdxFile, ...]:
        """The four files."""
        return (self.train_images, self.train_labels, self.test_images, self.test_labels)


def _published_files(folder: str, md5: tuple[str, ...], sha256: tuple[str | None, ...] = (None,) * 4) -> IdxFiles:
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    train, test = _PUBLISHED_TRAIN_COUNT, _TEST_COUNT
    shapes = ((train, _SIDE, _SIDE), (train,), (test, _SIDE, _SIDE), (test,))
    return IdxFiles(folder, *(IdxFile(*fields) for fields in zip(names, shapes, md5, sha256, strict=True)))


IDX_FILES: Mapping[str, IdxFiles] = MappingProxyType(
    {
        "mnist": _published_files(
            "MNIST",
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
        ),
        "fashion-mnist": _published_files(
            "FashionMNIST",
            (
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79",
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
        ),
        "kmnist": _published_files(
            "KMNIST",
            (
                "bdb82020997e1d708af4cf47b453dcf7",
                "e144d726b3acfaa3e44228e80efcd344",
                "5c965bf0a639b31b8f53240b1b52f4d7",
                "7320c461ea6c1c855c0b718fb2a4b134",
            ),
        ),
    }
)
"""The files of the data sets that can be downloaded, by name."""


@dataclass(frozen=True, slots=True)
class CifarFiles:
    """A data set in the binary format of CIFAR: an archive, and the files in it; the last one has the test images."""

    url: str
    """Of the archive."""
    archive_md5: str
    folder: str
    """Of the files, in the archive and beside it."""
    names: tuple[str, ...]
    records: int
    """Images of one file."""

    @property
    def archive_name(self) -> str:
        """The archive, as it lies in ``dataset_dir``."""
        return self.url.rpartition("/")[2]


CIFAR10_FILES = CifarFiles(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
    folder="cifar-10-batches-bin",
    names=(*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"),
    records=10_000,
)


def _load_idx(name: str, dataset_dir: Path, say: Say | None = None) -> Dataset:
    from psa_tui.data.idx import load_idx

    return load_idx(DATASETS.find(name), IDX_FILES[name], dataset_dir, say)


def _load_cifar10(dataset_dir: Path, say: Say | None = None) -> Dataset:
    from psa_tui.data.cifar import load_cifar

    return load_cifar(CIFAR10, CIFAR10_FILES, dataset_dir, say)


def _load_mnist5k(dataset_dir: Path, say: Say | None = None) -> Dataset:
    from psa_tui.data.embedded import load_embedded

    return load_embedded(MNIST5K)


def _idx_dataset(name: str, mean: float, std: float, majority_class_accuracy: float | None = None) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        input_shape=(1, _SIDE, _SIDE),
        classes=_CLASSES,
        mean=(mean,),
        std=(std,),
        train_count=_TRAIN_COUNT,
        validation_count=_PUBLISHED_TRAIN_COUNT - _TRAIN_COUNT,
        test_count=_TEST_COUNT,
        majority_class_accuracy=majority_class_accuracy,
        load=partial(_load_idx, name),
    )


MNIST = _idx_dataset("mnist", 0.1307, 0.3081, majority_class_accuracy=0.1102)
MNIST5K = replace(
    MNIST,
    name="mnist5k",
    train_count=4_000,
    validation_count=500,
    test_count=500,
    majority_class_accuracy=0.124,
    load=_load_mnist5k,
)
FASHION_MNIST = _idx_dataset("fashion-mnist", 0.2860, 0.3530)
KMNIST = _idx_dataset("kmnist", 0.1918, 0.3483)
CIFAR10 = DatasetSpec(
    name="cifar10",
    input_shape=(3, 32, 32),
    classes=_CLASSES,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    train_count=45_000,
    validation_count=5_000,
    test_count=10_000,
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    load=_load_cifar10,
)
for _spec in (MNIST, MNIST5K, FASHION_MNIST, KMNIST, CIFAR10):
    DATASETS.register(_spec.name, _spec)
