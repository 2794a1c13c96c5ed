"""Random BERTs and a T5 of a few thousand weights, with vocabularies written here: for speed, not for sense."""

from __future__ import annotations

from pathlib import Path

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = "customer agent order refund parcel late broken asked about sorry will send money back the a is : . , ? 0 1"
WORDS = TEXT.split()
LETTERS = [letter for one in "abcdefghijklmnopqrstuvwxyz0123456789" for letter in (one, f"##{one}")]


def build_tiny_bert(folder: Path, *, labels: tuple[str, ...] = (), positions: int = 64, seed: int = 0) -> Path:
    """Write a random two-layer BERT, with a classifier for `labels` where there are some, and return its folder."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    write_word_pieces(folder, positions)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(dict.fromkeys(SPECIALS + WORDS + LETTERS)),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=0.5,
        id2label=dict(enumerate(labels)) or None,
        label2id={label: index for index, label in enumerate(labels)} or None,
    )
    (BertForSequenceClassification if labels else BertModel)(config).save_pretrained(folder)
    return folder


def build_tiny_t5(folder: Path, *, positions: int = 64, seed: int = 0) -> Path:
    """Write a random T5 of two layers whose tokenizer knows words, and return its folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    vocabulary = {word: index for index, word in enumerate(["<pad>", "</s>", "<unk>", "predict", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=positions,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=len(vocabulary),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        initializer_factor=4.0,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def write_word_pieces(folder: Path, positions: int) -> None:
    """A lower-casing BERT tokenizer: a few words, and letters for all others."""
    from transformers import BertTokenizer

    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(SPECIALS + WORDS + LETTERS))}
    BertTokenizer(vocab=vocabulary, model_max_length=positions).save_pretrained(folder)
