"""TRL's `SFTTrainer` with the LM head at target positions only, float32 adapter weights and an evaluation per token.

Imports torch and TRL: import this module only where a training begins.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from .rows import NOT_TRAINED


class TargetLossTrainer(SFTTrainer):  # type: ignore[misc]  # mypy does not follow TRL
    """Trains on one device; loss and evaluation are means over target tokens, not over batches."""

    control: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # TRL casts the adapter on a quantized base to bfloat16, whose 8 bits of mantissa round a learning rate's worth
        # of change away once weights have grown. Autocast computes in bfloat16 all the same.
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Sum of the target tokens' cross entropies divided by `num_items_in_batch`, the whole step's target tokens.

        Off the CPU TRL's own fused LM head already projects target positions only.
        """
        if return_outputs or inputs["input_ids"].device.type != "cpu":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss, tokens = target_loss(model, inputs)
        return loss / (tokens if num_items_in_batch is None else num_items_in_batch)

    def evaluate(self, eval_dataset: Any = None, **_: Any) -> dict[str, float]:
        """Cross entropy per target token over the whole validation set; memory does not grow with the set.

        The inherited loop averages batch means, in which a short summary's tokens weigh more than a long one's.
        """
        self.model.eval()
        total, count = 0.0, 0
        for inputs in self.get_eval_dataloader(eval_dataset):
            with torch.no_grad():
                loss, tokens = target_loss(self.model, inputs)
            total += loss.item()
            count += tokens
        metrics = {"eval_loss": total / count}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Nothing: the adapter's provenance takes its place."""

    def _send_telemetry(self) -> None:
        """Nothing: a training tells nobody."""


def target_loss(model: Any, inputs: dict[str, Any]) -> tuple[Any, int]:
    """Summed cross entropy of a batch's target tokens, a scalar in float32, and their number.

    `inputs` holds `input_ids`, `attention_mask` and `labels`, each (rows, length). The LM head, as large as a quarter
    of a small LLaMA, sees only the positions at which some row has a target: with rows of like length hardly more than
    the targets themselves.
    """
    labels = inputs["labels"][:, 1:]
    is_target = labels != NOT_TRAINED
    positions = is_target.any(dim=0).nonzero().squeeze(1)
    logits = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        use_cache=False,
        logits_to_keep=positions,
    ).logits
    kept = is_target[:, positions]
    targets = labels[:, positions][kept]
    return cross_entropy(logits[kept].float(), targets, reduction="sum"), targets.numel()
