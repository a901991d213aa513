"""The data sets a run can train on, verified and split. Importing this needs neither torch nor torchvision.

``load_dataset`` is the way in. ``catalogue`` says what each data set is, ``raw`` reads and checks its files,
``download`` fetches them, ``embedded`` holds the one that needs no network, ``split`` divides the images.
"""

from psa_tui.data.load import load_dataset
from psa_tui.data.split import Dataset, Split, class_counts, majority_class_accuracy

__all__ = ["Dataset", "Split", "class_counts", "load_dataset", "majority_class_accuracy"]
