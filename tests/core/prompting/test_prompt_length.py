"""What a text encoder reads at once is counted as ComfyUI counts, and what lies beyond is shown before it is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from likeness_studio.core import host
from likeness_studio.core.prompting import (
    NAMES,
    SIZE,
    Brief,
    Dialect,
    Kind,
    by_encoder,
    by_vocabulary,
    clip_chunks,
    readable,
    segments,
    write,
)
from likeness_studio.nodes.prompting import ProfessionalPrompt

INPUTS: dict[str, Any] = {each.id: each.default for each in ProfessionalPrompt.GET_SCHEMA().inputs if not each.optional}


@pytest.fixture
def store(clip_words, monkeypatch):
    """The vocabulary is in the model store already, and nothing is fetched."""
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    return clip_words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a (b:1.2) c", [("a ", 1.0), ("b", 1.2), (" c", 1.0)]),
        ("(b)", [("b", 1.1)]),
        ("((b))", [("b", pytest.approx(1.21))]),
        ("(a (b:0.5) c:2)", [("a ", 2.0), ("b", 0.5), (" c", 2.0)]),
        (r"f\(x\)", [("f(x)", 1.0)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(never closed", [("(never closed", 1.0)]),
        ("", []),
    ],
)
def test_weights_are_read_as_comfyui_reads_them(text, said):
    assert segments(text) == said


def test_known_tokens(clip_words):
    """Ids that openai/CLIP gives: "a photo of a cat" is 320 1125 539 320 2368."""
    assert [piece.entry for piece in clip_words.pieces("a photo of a cat")] == [320, 1125, 539, 320, 2368]
    assert [piece.text for piece in clip_words.pieces("85mm f/2.8")] == ["8", "5", "mm", "f", "/", "2", ".", "8"]
    assert max(clip_words.words().values()) < SIZE
    assert readable(["por", "trait</w>", ",</w>", "na", "ï", "ve</w>"]) == "portrait , na\N{REPLACEMENT CHARACTER}ve"


def test_weights_do_not_count(clip_words):
    plain = by_vocabulary("grey suit, white shirt", Dialect.TAGS, clip_words)
    weighted = by_vocabulary("(grey suit:1.25), ((white shirt))", Dialect.TAGS, clip_words)
    assert (plain.tokens, plain.chunks) == (weighted.tokens, weighted.chunks) == (5, 1)


def test_an_embedding_is_not_counted_exactly(clip_words):
    length = by_vocabulary("suit, embedding:mine", Dialect.TAGS, clip_words)
    assert not length.exact
    assert "knows no embeddings" in length.counted_by


@pytest.mark.parametrize(("words", "chunks"), [(0, 1), (75, 1), (76, 2), (150, 2), (151, 3)])
def test_a_chunk_holds_75_tokens(clip_words, words, chunks):
    length = by_vocabulary(" ".join(["suit"] * words), Dialect.TAGS, clip_words)
    assert (length.tokens, length.chunks, length.fits) == (words, chunks, chunks == 1)
    assert length.beyond.split() == ["suit"] * max(0, words - 75)


def test_a_short_weighted_stretch_moves_to_the_next_chunk_whole(clip_words):
    text = " ".join(["suit"] * 73) + " (round grey glasses:1.2) smile"
    chunks = clip_chunks([clip_words.pieces(part) for part, _ in segments(text)])
    assert [len(chunk) for chunk in chunks] == [73, 4]
    assert by_vocabulary(text, Dialect.TAGS, clip_words).beyond == "round grey glasses smile"


def test_words_beyond_the_first_chunk_are_shown_on_the_node(store):
    additions = "hands folded on the table, a fountain pen, blue ceramic cup, open notebook, a framed map, desk lamp, "
    additions += "a vase with white tulips, folded newspaper, leather briefcase"
    additions += ", a lighthouse in the distance"
    inputs: dict[str, Any] = INPUTS | {"additions": additions}
    output = ProfessionalPrompt.execute(**inputs)
    report = json.loads(output.args[2])
    assert report["length"]["chunks"] == 2
    assert report["length"]["tokens"] > 75
    assert report["length"]["beyond_first_chunk"].endswith("a lighthouse in the distance")
    (shown,) = output.ui["text"]
    assert "2 chunks. Beyond the first: " in shown
    assert "lighthouse in the distance" in shown.split("Beyond the first: ")[1]
    assert "natural skin texture" not in output.args[0]
    assert "'natural skin texture' was left out: the prompt is longer than 75 tokens." in report["notes"]


def test_our_own_words_give_way_first(clip_words, presets):
    def count(text):
        return by_vocabulary(text, Dialect.TAGS, clip_words)

    short = write(Brief({Kind.ROLE: "lawyer"}), Dialect.TAGS, presets, count)
    assert short.positive.endswith("natural skin texture, sharp focus on the eyes")
    filler = tuple(f"{colour} shirt" for colour in NAMES)
    room = Brief({Kind.ROLE: "lawyer"}, additions=(*filler[:10], "a " + "very " * 28 + "long scarf"))
    long = write(room, Dialect.TAGS, presets, count)
    assert long.length is not None
    assert long.length.fits
    assert "sharp focus on the eyes" not in long.positive


def test_without_the_vocabulary_the_node_works_and_says_so(model_dir, monkeypatch):
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    output = ProfessionalPrompt.execute(**INPUTS)
    assert output.args[0].startswith("professional portrait photo of a person")
    report = json.loads(output.args[2])
    assert report["length"] is None
    assert "could not be counted" in report["notes"][-1]
    assert "likeness models get clip_bpe" in output.ui["text"][0]


def test_a_damaged_vocabulary_is_named_and_not_read(model_dir, monkeypatch):
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    file = model_dir / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    file.parent.mkdir()
    file.write_bytes(b"\x1f\x8bnot the vocabulary")
    notes = json.loads(ProfessionalPrompt.execute(**INPUTS).args[2])["notes"]
    assert "is not the file that model clip_bpe must be" in notes[-1]


def test_comfyuis_own_vocabulary_is_used_inside_comfyui(clip_words, tmp_path, monkeypatch):
    """The same entries and merges as files of ComfyUI's form give the same tokens."""
    from likeness_studio.core.prompting import token_count

    words = clip_words._entries
    merges = json.loads(clip_words._tokenizer.to_str())["model"]["merges"]
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges), ""]))
    monkeypatch.setattr(host, "clip_vocabulary_files", lambda: (tmp_path / "vocab.json", tmp_path / "merges.txt"))
    monkeypatch.setenv("LIKENESS_MODELS", str(tmp_path / "none"))
    own = token_count.vocabulary()
    assert own.source == "ComfyUI's CLIP vocabulary"
    assert own.pieces("a naïve 85mm portrait") == clip_words.pieces("a naïve 85mm portrait")


class Encoder:
    """What a connected CLIP answers: rows of (token, weight, word id), as ComfyUI's tokenizers build them."""

    def __init__(self, rows):
        self.rows = rows
        self.tokenizer = self

    def tokenize(self, text, return_word_ids=False):
        assert return_word_ids
        return {name: rows(text.split()) for name, rows in self.rows.items()}

    def untokenize(self, pairs):
        return [(pair, f"word{pair[0]}</w>") for pair in pairs]


def clip_rows(words):
    rows = [words[at : at + 75] for at in range(0, max(1, len(words)), 75)]
    return [
        [(49406, 1.0, 0), *((at, 1.0, at + 1) for at, _ in enumerate(row)), *[(49407, 1.0, 0)] * (76 - len(row))]
        for row in rows
    ]


def template_rows(words):
    """As Qwen: one row, no padding, a template of 30 tokens around the text."""
    return [[(at, 1.0, 1) for at in range(30 + len(words))]]


def test_a_connected_clip_is_asked():
    length = by_encoder("suit " * 80, Encoder({"l": clip_rows}))
    assert (length.tokens, length.limit, length.chunks, length.exact) == (80, 75, 2, True)
    assert length.beyond == "word0 word1 word2 word3 word4"
    assert by_encoder("", Encoder({"l": clip_rows})).tokens == 0


def test_of_several_encoders_the_one_with_the_long_memory_counts():
    length = by_encoder("suit " * 80, Encoder({"l": clip_rows, "t5xxl": template_rows}))
    assert (length.tokens, length.limit, length.chunks) == (80, 512, 1)
    assert "t5xxl" in length.counted_by
    assert by_encoder("suit " * 600, Encoder({"qwen25_7b": template_rows})).chunks == 2


@pytest.mark.parametrize(
    ("dialect", "rows", "noted"),
    [
        (Dialect.TAGS, clip_rows, False),
        (Dialect.TAGS, template_rows, True),
        (Dialect.PROSE, clip_rows, True),
        (Dialect.PROSE, template_rows, False),
    ],
)
def test_a_dialect_for_another_encoder_is_noted(presets, dialect, rows, noted):
    prompt = write(Brief(), dialect, presets, lambda text: by_encoder(text, Encoder({"x": rows})))
    assert any("see whether another dialect suits" in note for note in prompt.notes) is noted


def test_the_connected_clip_counts_in_the_node():
    output = ProfessionalPrompt.execute(**INPUTS, clip=Encoder({"g": clip_rows, "l": clip_rows}))
    report = json.loads(output.args[2])
    assert report["length"]["counted_by"] == "the connected text encoder (g)"
    assert report["length"]["tokens"] == len(output.args[0].split())


def test_a_folder_that_is_a_link_elsewhere_ends_no_run(model_dir, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (model_dir / "clip").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    output = ProfessionalPrompt.execute(**INPUTS)
    assert "could not be counted" in json.loads(output.args[2])["notes"][-1]
