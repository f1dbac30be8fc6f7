"""What options.py measures: one change against a base at a time."""

from dataclasses import dataclass, field
from typing import Any

from rectransfer.ranking import Augment


@dataclass(frozen=True)
class Setting:
    """What is changed against a scenario's base."""

    group: str
    name: str
    train: dict[str, Any] = field(default_factory=dict)
    tower: dict[str, Any] = field(default_factory=dict)
    rates: tuple[float, ...] = ()  # to choose from on the users that the epochs are chosen on
    stopping: bool = True


DRAWN = {"full_up_to": 0, "negatives": 200}
# written out, so that other defaults don't change what is measured
FEW_STEPS = {"batch": 128, "epochs": 12, "patience": 6, "full_up_to": 50_000}
MANY_STEPS = {"batch": 32, "epochs": 60, "patience": 12, "full_up_to": 50_000}
BASE = Setting("base", "base")
SETTINGS = (
    Setting("loss", 'loss="bpr"', {"loss": "bpr"}),
    Setting("loss", 'loss="bce"', {"loss": "bce"}),
    Setting("loss", 'loss="bce", positive_weight=10', {"loss": "bce", "positive_weight": 10.0}),
    Setting("loss", 'loss="mse"', {"loss": "mse"}),
    Setting("loss", 'loss="mse", positive_weight=40', {"loss": "mse", "positive_weight": 40.0}),
    *(
        Setting("negatives", f"200 drawn, negatives_by={power:g}", {**DRAWN, "negatives_by": power})
        for power in (0.0, 0.5, 0.75, 1.0)
    ),
    *(Setting("labels", f"label_weighting={a:g}", {"label_weighting": a}) for a in (0.25, 0.5, 1.0)),
    *(Setting("labels", f"effective_number={b:g}", {"effective_number": b}) for b in (0.9, 0.99)),
    Setting("augment", "Augment(crop=0.4)", {"augment": Augment(crop=0.4)}),
    Setting("augment", "Augment(mask=0.3)", {"augment": Augment(mask=0.3)}),
    Setting("augment", "Augment(reorder=0.5)", {"augment": Augment(reorder=0.5)}),
    Setting(
        "augment", "all three of these", {"augment": Augment(crop=0.4, mask=0.3, reorder=0.5, share=0.75)}
    ),
    *(Setting("overfitting", f"dropout={share:g}", tower={"dropout": share}) for share in (0.0, 0.6)),
    *(Setting("overfitting", f"l2={l2:g}", {"l2": l2}) for l2 in (0.0, 0.1, 1.0)),
    *(Setting("overfitting", f"l1={l1:g}", {"l1": l1}) for l1 in (1e-5, 1e-4, 1e-3)),
    Setting("overfitting", "60 epochs without early stopping", stopping=False),
    Setting("overfitting", "240 epochs without early stopping", {"epochs": 240}, stopping=False),
    Setting("steps", "batch=128, epochs=12, patience=6", FEW_STEPS),
    Setting("steps", "batch=32, epochs=60, patience=12", MANY_STEPS),
    Setting("underfitting", "hidden=0", tower={"hidden": 0}),
    Setting("underfitting", "hidden=512, width=128", tower={"hidden": 512, "width": 128}),
    Setting("underfitting", "per_user=6", {"per_user": 6}),
    Setting("underfitting", "clip=0", {"clip": 0.0}),
    Setting("underfitting", 'schedule="constant"', {"schedule": "constant"}),
    *(
        Setting("activation", f'activation="{name}"', tower={"activation": name})
        for name in ("gelu", "tanh", "silu", "leaky_relu")
    ),
    *(
        Setting("optimiser", f'optimiser="{name}"', {"optimiser": name}, rates=rates)
        for name, rates in (
            ("adamw", (1e-3, 3e-3)),
            ("adam", (1e-3, 3e-3)),
            ("rmsprop", (3e-4, 1e-3)),
            ("adagrad", (1e-2, 3e-2)),
            ("sgd", (1e-1, 3e-1)),
        )
    ),
)
