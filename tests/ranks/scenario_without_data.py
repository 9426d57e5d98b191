"""A rank without validation data, which Lightning refuses, unless the module says that it can do with that
(`pytorch_lightning/utilities/data.py`, `has_len_all_ranks`). How far rank 0 is by then is chance."""

from harness import Expect
from harness.oracle.predictions import weighted_by_batch_size
from scenarios.ranks.figures import declare, val_loss
from scenarios.ranks.logged import Logged

declare(
    "without_data", "control", Logged, val_loss(predicts=weighted_by_batch_size, across="rank_zero"),
    workloads="ranks/none_on_some",
    expects=[
        Expect("raised", exception="MisconfigurationException", ranks="[!1]*", needs="pytorch_lightning<2.0"),
        Expect("raised", exception="RuntimeError", ranks="[!1]*", needs="pytorch_lightning>=2.0"),
    ],
)  # fmt: skip
