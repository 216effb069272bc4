"""Writes a tiny Llama configuration and a tokenizer, both made here: no weights, nothing downloaded.

The engine fills the weights with random numbers (vLLM's load format "dummy"), so the text is
nonsense, but batching, KV cache, scheduling and streaming are the engine's own."""
import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

WORDS = 1000


def make_tokenizer(folder: pathlib.Path) -> int:
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for index in range(WORDS):
        vocabulary[f"w{index}"] = len(vocabulary)
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)
    return len(vocabulary)


def make_config(folder: pathlib.Path, vocabulary_size: int) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32,
        "vocab_size": vocabulary_size, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": True,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    make_config(folder, make_tokenizer(folder))


if __name__ == "__main__":
    main()
