"""The data sets a trial can be trained on, verified and split. Importing this needs neither torch nor torchvision.

``load_dataset`` is the way in. ``spec`` says what a data set is, and keeps the registry for those of plug-ins;
``catalogue`` describes the ones that come with the package. There is one reader for each format: ``idx`` and ``cifar``
(and ``download``, which fetches their files) and ``embedded``; for data of one's own (``own``) ``npz`` and ``folder``,
which ``parts`` divides and standardises. ``split`` divides and counts images.
"""

from psa_tui.data import catalogue as catalogue  # registers the data sets of this package
from psa_tui.data.load import dataset_spec, is_substitute, load_dataset
from psa_tui.data.own import is_own
from psa_tui.data.spec import AUTO, DATASETS, Dataset, DatasetSpec, Split
from psa_tui.data.split import class_counts, digest, fingerprint, majority_class_accuracy

__all__ = [
    "AUTO",
    "DATASETS",
    "Dataset",
    "DatasetSpec",
    "Split",
    "class_counts",
    "dataset_spec",
    "digest",
    "fingerprint",
    "is_own",
    "is_substitute",
    "load_dataset",
    "majority_class_accuracy",
]
