import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from liftbench.plugin_api import (
    CurvePoint,
    Trainer,
    TrainingSummary,
    TrainResult,
    completion_ids,
    end_token,
    peak_memory,
    render,
)


class PlainLora(Trainer):
    precision = "float32"

    def train(self, request):
        began = time.monotonic()
        torch.manual_seed(request.seed)
        tokenizer = AutoTokenizer.from_pretrained(request.model)
        base = AutoModelForCausalLM.from_pretrained(request.model, dtype=torch.float32)
        lora = LoraConfig(r=request.options.rank, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(base, lora)
        optimizer = torch.optim.AdamW(model.parameters(), lr=request.options.learning_rate)
        end = end_token(request.prompt, tokenizer)
        target_tokens = tokens = 0
        for step, conversation in enumerate(request.train, start=1):
            prompt = render(request.prompt, conversation, tokenizer, request.max_input_tokens)
            target = completion_ids(conversation.references[0], end, tokenizer)
            ids = torch.tensor([[*prompt.token_ids, *target]])
            labels = ids.clone()
            labels[:, : len(prompt.token_ids)] = -100  # only the summary is learned, not the conversation
            loss = model(input_ids=ids, labels=labels).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            target_tokens += len(target)
            tokens += ids.numel()
            request.record(CurvePoint(step=step, epoch=step / len(request.train), loss=loss.item()))
            request.progress(step, len(request.train), f"loss {loss.item():.2f}")
        adapter = request.folder / "adapter"
        model.save_pretrained(adapter)
        summary = TrainingSummary(
            trainer="plain-lora",
            steps=len(request.train),
            conversations=len(request.train),
            validation_conversations=len(request.validation),
            target_tokens=target_tokens,
            tokens=tokens,
            trainable_parameters=sum(one.numel() for one in model.parameters() if one.requires_grad),
            seconds=time.monotonic() - began,
            peak_memory_bytes=peak_memory(),
            device="cpu",
        )
        return TrainResult(adapter=adapter, precision=self.precision, summary=summary)
