"""TRL's `SFTTrainer` over shared prefixes, with a loss per target token; an adapter's weights are float32.

Imports torch and TRL: import this module only where a training begins.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from trl import SFTTrainer

from . import ranks
from .fused_lora import fuse
from .shared_prefix import target_loss


class TargetLossTrainer(SFTTrainer):  # type: ignore[misc]  # mypy does not follow TRL
    """Trains on one device; training and validation loss are means over target tokens, not over batches."""

    control: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.model, PeftModel):
            # TRL casts the adapter on a quantized base to bfloat16, whose 8 bits of mantissa lose updates of the
            # learning rate's size once weights have grown. Computations are in bfloat16 all the same.
            for parameter in self.model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.float()
            if not self.args.bf16:
                fuse(self.model)
        ranks.sum_gradients(self.model, self.accelerator)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Sum of the target tokens' cross entropies, divided by `num_items_in_batch`, the target tokens of the step.

        Several processes count their tokens together; their losses and gradients are averaged where they should be
        added (see `ranks.sum_gradients`).
        """
        loss, tokens = target_loss(model, inputs)
        mean = loss / (tokens if num_items_in_batch is None else num_items_in_batch)
        mean = ranks.sum_losses(mean, self.accelerator)
        return (mean, {}) if return_outputs else mean

    def evaluate(self, eval_dataset: Any = None, **_: Any) -> dict[str, float]:
        """Cross entropy per target token over the whole validation set; memory does not grow with the set.

        The inherited loop averages batch means, in which the tokens of short summaries have more weight.
        """
        self.model.eval()
        total, count = 0.0, 0
        # A loader draws a random number when its pass begins, and so would change the dropout of the steps to come.
        with torch.random.fork_rng(devices=[]):
            for inputs in self.get_eval_dataloader(eval_dataset):
                with torch.no_grad(), self.compute_loss_context_manager():
                    loss, tokens = target_loss(self.model, inputs)
                total += loss.item()
                count += tokens
        if self.accelerator.num_processes > 1:
            sums = torch.tensor([total, count], dtype=torch.float64, device=self.accelerator.device)
            total, count = self.accelerator.reduce(sums, "sum").tolist()
        metrics = {"eval_loss": total / count}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        # The main process completes a checkpoint after this; by then every process has to have left its part.
        self.accelerator.wait_for_everyone()

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Do nothing, because the adapter has a provenance instead."""

    def _send_telemetry(self) -> None:
        """Do nothing: a training sends no data."""
