"""TRL's `SFTTrainer` with the LM head only at target positions, float32 adapter weights and a loss per target token.

Imports torch and TRL: import this module only where a training begins.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from .rows import NOT_TRAINED


class TargetLossTrainer(SFTTrainer):  # type: ignore[misc]  # mypy does not follow TRL
    """Trains on one device; training and validation loss are means over target tokens, not over batches."""

    control: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # TRL casts the adapter on a quantized base to bfloat16, whose 8 bits of mantissa lose updates of the learning
        # rate's size once weights have grown. Autocast still computes in bfloat16.
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
        """Sum of the target tokens' cross entropies, divided by `num_items_in_batch`, the target tokens of the step.

        On a GPU, TRL's own fused LM head already projects only target positions.
        """
        if return_outputs or inputs["input_ids"].device.type != "cpu":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        loss, tokens = target_loss(model, inputs)
        return loss / (tokens if num_items_in_batch is None else num_items_in_batch)

    def evaluate(self, eval_dataset: Any = None, **_: Any) -> dict[str, float]:
        """Cross entropy per target token over the whole validation set; memory does not grow with the set.

        The inherited loop averages batch means, in which the tokens of short summaries have more weight.
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
        """Do nothing, because the adapter has a provenance instead."""

    def _send_telemetry(self) -> None:
        """Do nothing: a training sends no data."""


def target_loss(model: Any, inputs: dict[str, Any]) -> tuple[Any, int]:
    """The summed cross entropy of a batch's target tokens, a scalar in float32, and the number of these tokens.

    `inputs` holds `input_ids`, `attention_mask` and `labels`, each (rows, length). The LM head, up to a quarter of a
    small LLaMA's weights, is computed only at positions at which some row has a target. If rows have similar lengths,
    these are hardly more than the targets themselves.
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
