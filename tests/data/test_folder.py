"""Data of one's own in a folder of images, real files all of them: what is trained on, and every fault in one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from psa_tui.data import dataset_spec, image_cache, load_dataset
from psa_tui.data.split import split_order
from psa_tui.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("cache_dir")
CLASSES = ("ant", "bee", "cow")


def picture(seed: int, mode: str = "RGB", size: tuple[int, int] = (5, 4)) -> Image.Image:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), np.uint8)
    return Image.fromarray(pixels, mode)


def fill(folder: Path, count: int = 12, mode: str = "RGB", first: int = 0) -> Path:
    """Write ``count`` PNG files for each class."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(first + 100 * label + number, mode).save(folder / name / f"{number:03}.png")
    return folder


def load(folder: Path, say=None):
    return load_dataset(str(folder), Path("nowhere"), say)


def flat(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return (array if array.ndim == 2 else array.transpose(2, 0, 1)).reshape(-1)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_folder_of_classes_is_split_by_the_fixed_seed_with_its_names(tmp_path, mode):
    folder = fill(tmp_path / "zoo", mode=mode)
    channels = len(mode)
    spec = dataset_spec(str(folder))
    assert (spec.name, spec.input_shape, spec.class_names) == ("zoo.folder", (channels, 4, 5), CLASSES)
    assert (spec.train_count, spec.validation_count, spec.test_count) == (24, 6, 6)
    found = load(folder)
    whole = np.stack([flat(picture(100 * label + number, mode)) for label in range(3) for number in range(12)])
    order = split_order(36)
    assert np.array_equal(found.train.pixels, whole[order[:24]])
    assert np.array_equal(found.test.labels, (np.arange(36) // 12)[order[30:]])
    train = whole[order[:24]].reshape(24, channels, -1) / 255
    assert found.spec.mean == pytest.approx(tuple(train.mean((0, 2))), rel=1e-13)
    assert found.spec.std == pytest.approx(tuple(train.std((0, 2))), rel=1e-13)


@pytest.mark.parametrize("called", ["validation", "val", None])
def test_folders_of_parts_are_taken_as_they_are_and_what_is_hidden_is_passed_over(tmp_path, called):
    fill(tmp_path / "train")
    fill(tmp_path / "test", 2, first=50)
    if called is not None:
        fill(tmp_path / called, 3, first=70)
    (tmp_path / ".git").mkdir()
    (tmp_path / "train" / "ant" / ".DS_Store").write_bytes(b"")
    (tmp_path / "train" / "ant" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "README.md").write_text("about")
    found = load(tmp_path)
    assert [len(split.labels) for split in (found.train, found.validation, found.test)] == (
        [36, 9, 6] if called else [30, 6, 6]
    )
    assert np.array_equal(found.test.pixels[3], flat(picture(151)))
    assert found.notices == ("not used, for their names are not those of images: 2 files",)


def test_images_are_decoded_once_and_again_when_one_changes(tmp_path, monkeypatch):
    folder = fill(tmp_path / "zoo")
    decoded: list[Path] = []
    decode = image_cache.write
    monkeypatch.setattr(image_cache, "write", lambda folder, *rest: decoded.append(folder) or decode(folder, *rest))
    first, again = load(folder), load(folder)
    assert decoded == [folder]
    assert np.array_equal(first.train.pixels, again.train.pixels)
    assert first.fingerprint == again.fingerprint
    # Damage to the cache is no harm: what it holds is used only as it was written.
    path = image_cache.cache_path(folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load(folder).fingerprint == first.fingerprint
    assert len(decoded) == 2
    # Touched, but the same: the fingerprint is of the contents.
    os.utime(folder / "ant" / "000.png", (1, 1))
    assert load(folder).fingerprint == first.fingerprint
    picture(999).save(folder / "ant" / "000.png")
    assert load(folder).fingerprint != first.fingerprint
    assert len(decoded) == 4


def test_a_folder_elsewhere_with_the_same_images_is_the_same_data_set(tmp_path):
    one, other = fill(tmp_path / "one"), fill(tmp_path / "other")
    assert load(one).fingerprint == load(other).fingerprint
    (other / "ant" / "000.png").rename(other / "ant" / "0000.png")
    assert load(one).fingerprint != load(other).fingerprint


def test_where_nothing_can_be_kept_it_decodes_each_time(tmp_path, monkeypatch):
    folder = fill(tmp_path / "zoo")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(image_cache, "cache_path", lambda folder: tmp_path / "file" / "cache")
    assert load(folder).fingerprint == load(folder).fingerprint


def test_decoding_many_images_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("psa_tui.data.folder._SAY_EVERY", 20)
    said: list[str] = []
    folder = fill(tmp_path / "zoo")
    load(folder, said.append)
    assert said == [
        f"{folder}: decoding images, {done} of 36; the next time they come from the cache" for done in (0, 20)
    ]


def other_size(folder):
    picture(1, size=(6, 4)).save(folder / "bee" / "005.png")


def other_mode(folder):
    picture(1, "L").save(folder / "bee" / "005.png")


def palette(folder):
    picture(1).convert("P").save(folder / "bee" / "005.png")


def truncated(folder):
    path = folder / "bee" / "005.png"
    path.write_bytes(path.read_bytes()[:-30])


def no_image(folder):
    (folder / "bee" / "005.png").write_bytes(b"hello\x1b")


def broken_link(folder):
    (folder / "bee" / "link.png").symlink_to("nothing.png")


def pipe(folder):
    os.mkfifo(folder / "bee" / "pipe.png")


def empty_class(folder):
    (folder / "dog").mkdir()


def nested(folder):
    (folder / "bee" / "more").mkdir()


def control(folder):
    (folder / "bee" / "a\x1b.png").write_bytes(b"")


def control_class(folder):
    (folder / "d\x1bg").mkdir()


def one_class(folder):
    for name in CLASSES[1:]:
        (folder / name).rename(folder / f".{name}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (other_size, r"bee/005.png: is RGB 6 x 4, and ant/000.png is RGB 5 x 4; convert all images"),
        (other_mode, r"bee/005.png: is L 5 x 4, and ant/000.png is RGB 5 x 4; convert all images"),
        (palette, r"bee/005.png: has mode P or several frames, expected"),
        (truncated, r"bee/005.png: cannot be read as an image"),
        (no_image, r"bee/005.png: cannot be read as an image \(its content is none of JPEG, PNG"),
        (broken_link, r"bee/link.png: cannot be read as an image \(No such file"),
        (pipe, r"bee/pipe.png: cannot be read as an image \(it is no file\)"),
        (empty_class, r"dog: has no image; add some, or take the folder away"),
        (nested, r"bee/more: is a folder in that of a class"),
        (control, r"bee: has a name that cannot be printed"),
        (control_class, r"zoo: has a name that cannot be printed"),
        (one_class, r"zoo: has 1 folders of classes, expected at least 2; expected FOLDER/CLASS/IMAGE"),
    ],
)
def test_each_fault_is_one_line_that_names_the_file(tmp_path, damage, message):
    folder = fill(tmp_path / "zoo")
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        load(folder)
    assert str(caught.value).isprintable()


def test_parts_that_do_not_fit_together_are_refused(tmp_path):
    folder = fill(tmp_path / "train").parent
    fill(tmp_path / "tset", 2)
    with pytest.raises(DataError, match=r"has train and tset; beside train expected train, validation, val"):
        load(folder)
    (tmp_path / "tset").rename(tmp_path / "test")
    (tmp_path / "test" / "cow").rename(tmp_path / "test" / "cwo")
    with pytest.raises(DataError, match=r"test/cwo: there is no class of that name to train on"):
        load(folder)
    (tmp_path / "test").rename(tmp_path / "val")
    fill(tmp_path / "validation", 1)
    with pytest.raises(DataError, match=r"has two folders of validation images"):
        load(folder)


def test_images_larger_than_the_memory_are_refused_before_one_is_decoded(tmp_path, monkeypatch):
    folder = fill(tmp_path / "zoo")
    monkeypatch.setattr("psa_tui.data.folder.available_memory_bytes", lambda: 8000)
    with pytest.raises(DataError, match=r"need about 8.6 kB of memory, 8.0 kB are available"):
        dataset_spec(str(folder))


def test_a_link_to_an_image_is_followed(tmp_path):
    folder = fill(tmp_path / "zoo")
    before = load(folder).fingerprint
    (folder / "ant" / "000.png").rename(tmp_path / "elsewhere.png")
    (folder / "ant" / "000.png").symlink_to(tmp_path / "elsewhere.png")
    assert load(folder).fingerprint == before


def test_what_is_not_there_and_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"zoo: there is no such file or folder"):
        load(tmp_path / "zoo")
    (tmp_path / "zoo").write_bytes(b"")
    with pytest.raises(DataError, match=r"zoo: cannot be listed \(Not a directory\); --dataset names FILE.npz"):
        load(tmp_path / "zoo")
