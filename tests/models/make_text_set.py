#!/usr/bin/env python3
"""Token ids of the reference libraries for 20,000 lines of text, and ours beside them.

    make_text_set.py --program TOKENIZER_PARITY --work FOLDER [--lines N]

Makes tokenizers of every published form (byte-level BPE, unigram, CTC letters; small ones, trained ones of 8,000
pieces, and variants of tokenizer.json), encodes the same lines with transformers or tokenizers, and runs our program
over each: it compares every id. Runs itself under GRYM_PEER_PYTHON, a Python with transformers, tokenizers and
sentencepiece (tried: 5.23, 0.23.3, 0.2.3), and ends with 77 (skipped) where that is not set.
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPECIAL = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "<extra_id_0>", "<extra_id_99>", "<0x41>", "[DAY]", "|"]
SNIPPETS = [" ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u2028", "\u3000", "\u200b", "\u200d", "\ufeff", "\x00",
            "\x01", "\x1c", "\x7f", "\x85", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'", "\u2019s", "don't",
            "I'll've", "123", "3.5", "\u00bd", "\u2167", "\u0664\u0665", "\u2460", "e\u0301", "\u00e9", "a\u0308\u0323",
            "\ufb01", "\u212b", "\u1e9b\u0323", "\uff21\uff22", "\u3392", "\ufdfa", "\u0958\u0301", "\u0915\u094d\u0937",
            "\u0d15\u0d4d\u200d", "\u1100\u1161\u11a8", "\uac01\u11a8", "\uac00", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea\U0001f1eb", "1\ufe0f\u20e3", "\u00a9\u200d\u00a9", "\u00a9\u200d",
            "\u2764\ufe0f\u200d\U0001f525", "\u0e33", "\u0e01\u0e33", "\u0600\u0661", "\u0378", "\U000e0001", "\U0010ffff",
            "\ue000", "\ufffe", "\u2581", "\u2581a", "\u0120", "_", "--", "...", "\u4f60\u597d", "\u3053\u3093", *SPECIAL]


def words():
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    for path in sorted((ROOT / "include").rglob("*.h")):
        text += path.read_text(encoding="utf-8")
    return text.split()


def code_points():
    """All assigned ones but every 11th of the large scripts, and some that are not."""
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            continue
        name, category = unicodedata.name(chr(c), ""), unicodedata.category(chr(c))
        large = name.startswith(("CJK UNIFIED", "HANGUL SYLL", "TANGUT", "EGYPTIAN", "ANATOLIAN", "NUSHU", "CUNEIFORM"))
        if (large or category in ("Cn", "Co")) and c % (11 if large else 997):
            continue
        yield chr(c)


def text_set(count):
    chance, vocabulary = random.Random(20260101), words()
    points = list(code_points())
    lines = ["", " ", "  ", "\n", "a", *SNIPPETS, *(f"a {s} b" for s in SPECIAL), *(f"a{s}b{s}{s}  c" for s in SPECIAL)]
    long = 100_000
    lines += ["a" * long, " " * long, "ab " * (long // 3), "\u0915\u094d" * (long // 6), "\U0001f600" * (long // 4),
              "\u4e00" * (long // 3), "\n" * long, "<s>" * (long // 3), "e\u0301" * (long // 3), "'" * long,
              "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=long)), "".join(chance.choices(points, k=long // 3)),
              " ".join(chance.choices(vocabulary, k=long // 8))]
    for i in range(0, len(points), 24):
        lines.append("".join(points[i:i + 24]))
        lines.append(" ".join(points[i:i + 24]))
    while len(lines) < count:
        kind, size = chance.random(), chance.randrange(1, 30)
        if kind < 0.4:
            lines.append(" ".join(chance.choices(vocabulary, k=size)))
        elif kind < 0.6:
            lines.append("".join(chance.choices(SNIPPETS, k=size)))
        elif kind < 0.8:
            lines.append("".join(chance.choice((chance.choice(vocabulary), chance.choice(SNIPPETS), chance.choice(points)))
                                 for _ in range(size)))
        elif kind < 0.9:
            lines.append("".join(chance.choices(points, k=size)))
        else:
            lines.append("".join(chance.choices("abcdefghijklmnopqrstuvwxyz ABC.,'0123456789", k=size * 3)))
    return lines[:count]


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


SPECIAL_MAP = dict(bos_token="<s>", eos_token="</s>", sep_token="</s>", cls_token="<s>", unk_token="<unk>",
                   pad_token="<pad>", mask_token="<mask>")


def make_bpe(folder, lines, size):
    """RoBERTa's files, trained on `lines`: folder/json and folder/files."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    made.add_special_tokens(["<mask>"])
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    model = json.loads(made.to_str())["model"]
    config = dict(SPECIAL_MAP, tokenizer_class="RobertaTokenizer", model_max_length=512, add_prefix_space=False)
    for form in ("json", "files"):
        write_json(folder / form / "tokenizer_config.json", config)
    made.save(str(folder / "json" / "tokenizer.json"))
    write_json(folder / "files" / "vocab.json", dict(model["vocab"], **{"<mask>": made.token_to_id("<mask>")}))
    (folder / "files" / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *(" ".join(pair) for pair in model["merges"])]) + "\n", encoding="utf-8")


def make_unigram(folder, lines, size):
    """T5's files: folder/json and folder/files."""
    import io
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=stream, model_type="unigram", vocab_size=size,
        hard_vocab_limit=False, character_coverage=0.9995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>",
        eos_piece="</s>", unk_piece="<unk>", num_threads=1, minloglevel=2, user_defined_symbols=["[DAY]"])
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(stream.getvalue())
    sentinels = [f"<extra_id_{i}>" for i in range(100)]
    made = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces] + [(s, 0.0) for s in reversed(sentinels)],
                                    unk_id=2, byte_fallback=False))
    made.normalizer = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)
    space = dict(replacement="\u2581", prepend_scheme="always")
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**space)])
    made.decoder = decoders.Metaspace(**space)
    made.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"],
                                                        special_tokens=[("</s>", 1)])
    made.add_special_tokens(["<pad>", "</s>", "<unk>", *sentinels])
    config = dict(eos_token="</s>", unk_token="<unk>", pad_token="<pad>", additional_special_tokens=sentinels,
                  tokenizer_class="T5Tokenizer", extra_ids=100, model_max_length=512)
    for form in ("json", "files"):
        write_json(folder / form / "tokenizer_config.json", config)
    made.save(str(folder / "json" / "tokenizer.json"))
    (folder / "files" / "spiece.model").write_bytes(stream.getvalue())


def make_letters(folder, tokens, **config):
    write_json(folder / "vocab.json", {token: i for i, token in enumerate(tokens)})
    write_json(folder / "tokenizer_config.json",
               dict(tokenizer_class="Wav2Vec2CTCTokenizer", do_lower_case=False, **config))


def make_variants(folder, bpe, unigram):
    """tokenizer.json in forms that these families have been published in, and every flag of an added token."""
    changed = json.loads((bpe / "tokenizer.json").read_text(encoding="utf-8"))
    changed["pre_tokenizer"]["add_prefix_space"] = True
    changed["added_tokens"][-1]["lstrip"] = True
    first = max(token["id"] for token in changed["added_tokens"]) + 1
    vocabulary = changed["model"]["vocab"]
    first = max(first, max(vocabulary.values()) + 1)
    flags = [("[DAY]", "rstrip"), ("Audio", "single_word"), ("the", "normalized"), ("\u4f60", "lstrip")]
    for content, flag in flags:     # without a gap: tokenizers numbers new ones itself, whatever the file says
        first += content not in vocabulary
        changed["added_tokens"].append(dict(dict(id=vocabulary.get(content, first - 1), content=content,
                                                 single_word=False, lstrip=False, rstrip=False, normalized=False, special=False), **{flag: True}))
    changed["model"]["merges"] = [" ".join(pair) for pair in changed["model"]["merges"]]
    changed["post_processor"] = dict(type="ByteLevel", add_prefix_space=True, trim_offsets=False, use_regex=True)
    write_json(folder / "bpe_flags" / "tokenizer.json", changed)
    changed = json.loads((unigram / "tokenizer.json").read_text(encoding="utf-8"))
    # tokenizers reads decimals a last digit off now and then; transformers, which hands it what Python reads, does not.
    changed["model"]["vocab"] = [[piece, round(score * 1024) / 1024] for piece, score in changed["model"]["vocab"]]
    changed["normalizer"] = dict(type="Sequence", normalizers=[
        changed["normalizer"], dict(type="Strip", strip_left=False, strip_right=True),
        dict(type="Replace", pattern={"Regex": " {2,}"}, content="\u2581")])
    for scheme in ("always", "first", "never"):
        changed["pre_tokenizer"] = dict(type="Metaspace", replacement="\u2581", prepend_scheme=scheme, split=scheme != "never")
        changed["decoder"] = dict(changed["pre_tokenizer"])
        write_json(folder / f"unigram_{scheme}" / "tokenizer.json", changed)
    return ["bpe_flags", "unigram_always", "unigram_first", "unigram_never"]


def make_all(work, lines):
    """Folders, and whether transformers or tokenizers alone is the reference."""
    chance = random.Random(3)
    doc = [" ".join(chance.choices(words(), k=12)) for _ in range(2000)]
    make_bpe(work / "bpe_700", doc[:100], 700)
    make_bpe(work / "bpe_8000", doc + lines[:4000], 8000)
    make_unigram(work / "unigram_500", doc[:200], 500)
    make_unigram(work / "unigram_8000", doc + [line for line in lines if 0 < len(line) < 4000 and max(line) < "\u1200"],
                 8000)
    make_letters(work / "letters", ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"],
                 bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>", word_delimiter_token="|")
    make_letters(work / "letters_of_a_language", ["|", *"abcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00fc", "sch", "[UNK]", "[PAD]"],
                 bos_token="<s>", eos_token="</s>", unk_token="[UNK]", pad_token="[PAD]", word_delimiter_token="|")
    folders = [(name, "transformers") for name in
               ("bpe_700/json", "bpe_700/files", "bpe_8000/json", "bpe_8000/files", "unigram_500/json",
                "unigram_500/files", "unigram_8000/json", "unigram_8000/files", "letters", "letters_of_a_language")]
    folders += [(name, "tokenizers") for name in make_variants(work, work / "bpe_8000/json", work / "unigram_8000/json")]
    return folders


def reference(folder, kind, lines):
    """Ids, decoded text (of the lines up to 1,000 characters) and seconds."""
    if kind == "tokenizers":
        from tokenizers import Tokenizer
        made = Tokenizer.from_file(str(folder / "tokenizer.json"))
        encode, decode = lambda line: made.encode(line).ids, lambda ids: made.decode(ids, skip_special_tokens=False)
    else:
        os.environ["HF_HUB_OFFLINE"] = "1"
        from transformers import AutoTokenizer
        made = AutoTokenizer.from_pretrained(folder)
        encode, decode = lambda line: made(line).input_ids, made.decode
    started = time.perf_counter()
    ids = [encode(line) for line in lines]
    seconds = time.perf_counter() - started
    return ids, [decode(i) if len(line) <= 1000 else None for line, i in zip(lines, ids)], seconds


def under_peer(options):
    work = Path(options.work)
    lines = text_set(options.lines)
    size = sum(len(line.encode()) for line in lines)
    print(f"{len(lines)} lines, {size / 1e6:.1f} MB")
    differences = 0
    for name, kind in make_all(work, lines):
        ids, texts, seconds = reference(work / name, kind, lines)
        with open(work / "reference.bin", "wb") as out:
            for line, line_ids, text in zip(lines, ids, texts):
                data, back = line.encode(), b"" if text is None else text.encode()
                out.write(struct.pack("<I", len(data)) + data + struct.pack(f"<I{len(line_ids)}i", len(line_ids), *line_ids))
                out.write(struct.pack("<i", -1 if text is None else len(back)) + back)
        run = subprocess.run([options.program, work / name, work / "reference.bin"], text=True, stdout=subprocess.PIPE)
        print(f"{name:22} {kind}: {size / seconds / 1e6:.2f} MB/s; {run.stdout.strip()}", flush=True)
        differences += run.returncode != 0
    print("all ids equal" if differences == 0 else f"{differences} tokenizers differ")
    return 1 if differences else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--lines", type=int, default=20000)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return under_peer(options)
    peer = os.environ.get("GRYM_PEER_PYTHON")
    if not peer:
        print("skipped: set GRYM_PEER_PYTHON to a Python with transformers, tokenizers and sentencepiece")
        return 77
    Path(options.work).mkdir(parents=True, exist_ok=True)
    return subprocess.run([peer, __file__, *sys.argv[1:], "--peer"]).returncode


if __name__ == "__main__":
    sys.exit(main())
