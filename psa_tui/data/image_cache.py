"""Decoded images of folders, in the user's cache folder: one file for each folder, replaced when its images change."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from psa_tui.storage.atomic_write import atomic_write


class Kept(NamedTuple):
    """What is kept of a folder."""

    digest: str
    """SHA-256 (hex) of the images' names and contents."""
    pixels: np.ndarray
    """uint8 [N, numbers of an image]."""


def cache_path(folder: Path) -> Path:
    """Return where the images of ``folder`` are kept."""
    import platformdirs

    key = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("psa-tui") / f"images-{key}.safetensors"


def read(folder: Path, stamp: str, shape: tuple[int, int]) -> Kept | None:
    """Return what is kept of ``folder`` while it has ``stamp``; None where there is nothing good of ``shape``."""
    try:
        with safetensors.safe_open(cache_path(folder), "np") as file:
            metadata = file.metadata() or {}
            if metadata.get("stamp") != stamp:
                return None
            kept = Kept(metadata["digest"], file.get_tensor("pixels"))
    except (OSError, safetensors.SafetensorError, KeyError, ValueError):
        return None
    is_good = kept.pixels.dtype == np.uint8 and kept.pixels.shape == shape
    return kept if is_good and metadata.get("sha256") == _sha256(kept) else None


def write(folder: Path, stamp: str, kept: Kept) -> None:
    """Keep it for the next start; where that is impossible, the next start decodes again."""
    metadata = {"stamp": stamp, "digest": kept.digest, "sha256": _sha256(kept)}
    with contextlib.suppress(OSError):
        path = cache_path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, safetensors.numpy.save({"pixels": kept.pixels}, metadata))


def _sha256(kept: Kept) -> str:
    found = hashlib.sha256(kept.digest.encode())
    found.update(np.ascontiguousarray(kept.pixels).data)
    return found.hexdigest()
