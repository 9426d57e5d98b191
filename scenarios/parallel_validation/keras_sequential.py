"""Validation by `fit` itself, between two epochs: what the ways to validate beside the training are held to."""

from harness import scenario
from scenarios.parallel_validation.keras_models import FIGURES, WORKLOAD, model

scenario(
    pattern="parallel_validation/keras_sequential", variant="recommended", framework="keras",
    source="Keras guide: Training & evaluation with the built-in methods",
    module=model, workloads=WORKLOAD, aggregates=FIGURES,
)  # fmt: skip
