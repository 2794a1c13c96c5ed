"""Is the fine-tuned summarizer really better? An evaluation-first benchmark suite for customer-agent conversations."""
