import hashlib

import numpy as np

from psa_tui.data import Split, class_counts, digest, fingerprint, majority_class_accuracy

LABELS = np.array([3, 0, 3, 9, 3])


def test_every_class_is_counted_also_those_without_images():
    split = Split(np.zeros((5, 784), np.uint8), LABELS)
    assert class_counts(split, 10) == [1, 0, 0, 3, 0, 0, 0, 0, 0, 1]
    assert class_counts(split, 12) == [1, 0, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0]


def test_the_majority_class_accuracy_is_the_most_frequent_labels():
    assert majority_class_accuracy(Split(np.zeros((5, 784), np.uint8), LABELS)) == 0.6


def test_a_digest_tells_pixels_and_labels_apart_and_a_fingerprint_the_rule():
    pixels = np.arange(10, dtype=np.uint8).reshape(5, 2)
    found = digest(Split(pixels, LABELS))
    assert found == hashlib.sha256(bytes(range(10)) + LABELS.astype("<i8").tobytes()).hexdigest()
    assert digest(Split(pixels[::-1].copy(), LABELS)) != found
    assert fingerprint([found], "a rule") == hashlib.sha256(f"{found}\na rule".encode()).hexdigest()
    assert fingerprint([found], "another rule") != fingerprint([found], "a rule")
