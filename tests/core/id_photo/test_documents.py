"""The table of documents: complete, well formed, and possible: a crop exists that meets all rules of a document."""

import itertools
import json
import re
import runpy
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from likeness_studio.core.errors.formats import DocumentInvalid, DocumentUnknown
from likeness_studio.core.id_photo import FOLDER, NOWHERE, Edits, HeadTop, Range, names, near_misses, read
from likeness_studio.core.id_photo.documents import document, documents
from likeness_studio.runner.cli import main

ROOT = Path(__file__).parents[3]
ALL = list(documents().values())
EYES = 0.49
"""The height of the eye line above the chin, as a share of chin to crown: an average head's (eyes about half-way)."""
HAIR = 1.05
"""Chin to the top of the hair, as a multiple of chin to crown: short hair."""
NAMED_IN_THE_ISSUE = (
    "us-passport", "schengen-visa", "uk-passport", "ca-passport", "in-passport", "cn-visa", "jp-passport", "linkedin",
)  # fmt: skip

GOOD = """
[xx-passport]
title = "Passport of Nowhere"
country = "Nowhere"
kind = "passport"
authority = "Office of Nowhere"
width_mm = 35
height_mm = 45
head_mm = [31.5, 36]
background = "plain white"
edits = "none"
edits_rule = "No changes."
confidence = "low"
sources = [{ url = "https://example.org", checked = "2026-11-20", says = "35 x 45 mm" }]
"""


def likeness(*words):
    return CliRunner().invoke(main, ["documents", *words])


def crops(each, steps=40):
    """Crops of an average head, as (chin, room above the head, room above the hair), with head and eyes as ruled."""
    heads = each.head or Range(0.3, 0.95)
    for here, place in itertools.product(range(steps + 1), repeat=2):
        head = heads.low + (heads.high - heads.low) * here / steps
        hair = head if each.head_top is HeadTop.HAIR else head * HAIR
        if each.eyes:
            eyes = each.eyes.low + (each.eyes.high - each.eyes.low) * place / steps
        else:
            eyes = EYES * hair / HAIR + (1 - hair) * place / steps
        chin = eyes - EYES * hair / HAIR
        yield chin, 1 - chin - head, 1 - chin - hair


def is_possible(each):
    """Whether a crop exists that meets every rule on lengths and keeps chin and hair in the picture."""
    return any(
        chin >= 0
        and above_hair >= 0
        and (each.room is None or room in each.room)
        and (each.chin is None or chin in each.chin)
        for chin, room, above_hair in crops(each)
    )


def test_there_are_enough():
    countries = {each.country for each in ALL} - {NOWHERE}
    official = [each for each in ALL if each.kind not in {"profile", "application", "generic"}]
    assert len(official) >= 25
    assert len(countries) >= 20
    assert {"linkedin", "xing", "cv", "cv-de", "icao", *NAMED_IN_THE_ISSUE} <= set(names())


def test_the_order_is_by_country_and_the_general_ones_come_last():
    countries = [each.country for each in ALL]
    last = countries.index(NOWHERE)
    assert countries[:last] == sorted(countries[:last])
    assert set(countries[last:]) == {NOWHERE}
    assert names().index("us-passport") < names().index("us-visa")


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.id)
def test_an_entry_is_well_formed(each):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each.id)
    for share in (each.head, each.eyes, each.room, each.chin, each.head_width):
        assert share is None or 0 <= share.low <= share.high <= 1
    assert each.head or each.eyes or "gives no" in " ".join(each.disputes + each.notes), "nothing says how to crop"
    assert each.background_colours
    assert 72 <= each.dpi <= 1200
    assert each.sources
    for source in each.sources:
        assert source.url.startswith("https://")
        assert date(2026, 1, 1) <= date.fromisoformat(source.checked) <= date(2026, 11, 20)
        assert source.says
    if each.confidence == "high":
        assert len(each.sources) >= 2, "high means that two sources agree"
        assert not each.disputes, "where sources disagree the confidence is lower"
    if each.file_bytes:
        assert each.file_bytes.low < each.file_bytes.high


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.id)
def test_pixels_and_millimetres_have_one_shape(each):
    if each.pixels and each.width_mm and each.height_mm:
        width, height = each.pixels
        assert width / height == pytest.approx(each.width_mm / each.height_mm, rel=0.02)
        assert width / each.width_mm * 25.4 == pytest.approx(each.dpi, rel=0.02)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.id)
def test_the_rules_can_all_be_met(each):
    assert is_possible(each)


@pytest.mark.parametrize(
    "lengths", ["head = [0.7, 0.8]\neyes = [0.25, 0.3]", "head = [0.7, 0.8]\neyes = [0.66, 0.7]",
                "head = [0.7, 0.75]\nroom = [0.4, 0.5]", "head = [0.6, 0.7]\nroom = [0.05, 0.1]\nchin = [0.4, 0.5]"],
)  # fmt: skip
def test_rules_that_cannot_be_met_are_found(tmp_path, lengths):
    file = tmp_path / "xx.toml"
    file.write_text(GOOD.replace("head_mm = [31.5, 36]", lengths))
    assert not is_possible(read(file)[0])


def test_official_documents_are_not_edited_unless_the_rule_says_so():
    for each in ALL:
        if each.edits is not Edits.NONE and each.kind not in {"profile", "application"}:
            assert each.edits is Edits.BACKGROUND
            assert "background" in each.edits_rule.casefold()
    for name in ("us-passport", "us-visa", "ca-passport", "au-passport", "nz-passport", "uk-passport-digital"):
        assert document(name).edits is Edits.NONE


@pytest.mark.parametrize("name", ["de-passport", "de-id-card", "fr-passport", "fr-id-card", "ca-passport"])
def test_who_must_take_the_photo_is_said(name):
    assert re.search("photograph|office|booth", document(name).capture)


def test_millimetres_become_shares(tmp_path):
    file = tmp_path / "xx.toml"
    file.write_text(GOOD)
    (each,) = read(file)
    head, eyes = each.head, document("us-passport").eyes
    assert head is not None
    assert eyes is not None
    assert (head.low, head.high) == pytest.approx((0.7, 0.8))
    assert head.middle == pytest.approx(0.75)
    assert 0.75 in head
    assert eyes.low == pytest.approx(28 / 51)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind =", "knid =", "key knid is not known here; did you mean kind?"),
        ('kind = "passport"', 'kind = "pass"', "key kind is 'pass' and should be 'passport', 'visa'"),
        ("width_mm = 35", "width_mm = -35", "key width_mm is -35 and should be greater than 0"),
        ("width_mm = 35", "", "has one of width_mm and height_mm; they go together"),
        ("width_mm = 35\nheight_mm = 45\nhead_mm = [31.5, 36]", "", "give width_mm and height_mm, or pixels"),
        ("[31.5, 36]", "[36, 31.5]", "the lower number first"),
        ("[31.5, 36]", "[31.5, 46]", "has head_mm, which needs a picture in mm that is larger"),
        ("head_mm = [31.5, 36]", "head = [70, 80]", "as shares of the picture, 0 to 1"),
        ("head_mm", "head = [0.7, 0.8]\nhead_mm", "no head beside"),
        ("head_mm", "eyes = [0.7, true]\nhead_mm", "key eyes is True and should be"),
        ('edits = "none"\nedits_rule = "No changes."', 'edits = "any"', "needs the edits_rule that allows them"),
        ("https:", "http:", "key sources is 'http://example.org' and should match"),
        ("2026-11-20", "20 Nov 2026", "key sources is '20 Nov 2026'; write the day like 2026-11-20"),
        ('authority = "Office of Nowhere"', "", "key authority is missing"),
        ("xx-passport", "XX_passport", "[XX_passport] is no id; it has small letters"),
        ('title = "', 'title = ["', "is not TOML"),
        ("head_mm", "dpi = 300.5\nhead_mm", "key dpi is 300.5 and should be a valid integer"),
        ("head_mm", "pixels = [35]\nhead_mm", "key pixels lacks the value 1"),
        (
            "head_mm",
            "pixels = [350, 450]\nmin_pixels = [400, 500]\nhead_mm",
            "min_pixels, pixels and max_pixels that do not go together",
        ),
        ("head_mm", 'background_colours = ["white"]\nhead_mm', "key background_colours is 'white' and should match"),
        ("head_mm", 'formats = ["heic"]\nhead_mm', "key formats is 'heic' and should be 'jpeg', 'png' or 'webp'"),
        ("head_mm", "dpi = true\nhead_mm", "key dpi is True and should be a valid integer"),
        ("head_mm", "capture = 2026-11-20\nhead_mm", "put dates into quotes"),
        ("head_mm", 'id = "us-passport"\nhead_mm', "key id is not known here"),
        ("head_mm", 'notes = "none"\nhead_mm', "key notes is 'none' and should be a valid array"),
    ],
)
def test_a_wrong_entry_is_refused_by_file_entry_and_key(tmp_path, old, new, said):
    file = tmp_path / "xx.toml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(DocumentInvalid) as error:
        read(file)
    assert said in str(error.value)
    assert "xx.toml" in str(error.value)


def test_the_rule_on_edits_says_whose_it_is_or_that_there_is_none(tmp_path):
    file = tmp_path / "xx.toml"
    file.write_text(GOOD)
    assert read(file)[0].rule_on_edits == "Office of Nowhere: No changes"
    file.write_text(GOOD.replace('edits_rule = "No changes."', ""))
    assert "no rule of Office of Nowhere about edits is known" in read(file)[0].rule_on_edits


def test_every_file_is_read():
    assert sum(len(read(file)) for file in FOLDER.glob("*.toml")) == len(ALL)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("us-pasport", "us-passport"),
        ("schengen", "schengen-visa"),
        ("Japan", "jp-passport"),
        ("US Passport", "us-passport"),
        ("uk_passport", "uk-passport"),
        ("linked-in", "linkedin"),
    ],
)
def test_an_unknown_document_names_what_was_meant(wanted, meant):
    assert meant in near_misses(wanted)
    with pytest.raises(DocumentUnknown, match=meant):
        document(wanted)


def test_an_unknown_document_that_is_like_none():
    with pytest.raises(DocumentUnknown, match="likeness documents"):
        document("zzzzzzzz")


def test_the_list_names_every_document():
    shown = likeness()
    assert shown.exit_code == 0, shown.output
    for each in ALL:
        assert re.search(rf"^{each.id} +{re.escape(each.title)} ", shown.output, re.MULTILINE)


@pytest.mark.parametrize(
    ("wanted", "country"), [("us", "United States"), ("GERMANY", "Germany"), ("gb", "United Kingdom")]
)
def test_the_list_of_one_country(wanted, country):
    told = json.loads(likeness("--country", wanted, "--json").output)["documents"]
    assert [each["id"] for each in told] == [each.id for each in ALL if each.country == country]


@pytest.mark.parametrize("name", NAMED_IN_THE_ISSUE)
def test_one_document_is_shown_with_sources_and_disputes(name):
    shown = likeness(name)
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())
    each = document(name)
    assert each.edits_rule in text
    assert each.authority in text
    for said in (*each.notes, *each.disputes, *(source.url for source in each.sources)):
        assert " ".join(said.split()) in text


def test_one_document_as_json():
    told = json.loads(likeness("us-visa", "--json").output)
    assert told["event"] == "result"
    assert told["document"]["head"] == {"low": 0.5, "high": 0.69}
    assert told["document"]["edits"] == "none"
    assert told["document"]["pixels"] == [600, 600]
    assert len(told["document"]["sources"]) >= 2


def test_lengths_are_told_in_the_units_of_the_rule():
    assert "25 to 35 mm (49 to 69 %), chin to crown" in likeness("us-passport").output
    assert "10 kB to 300 kB" in likeness("in-visa").output
    assert "Eye line" not in likeness("ca-passport").output


@pytest.mark.parametrize(
    ("words", "code"),
    [(("us-pasport",), "document_unknown"), (("--country", "atlantis"), "document_unknown"),
     (("us-visa", "--country", "us"), "usage")],
)  # fmt: skip
def test_wrong_words_end_in_a_coded_error(words, code):
    shown = likeness(*words, "--json")
    assert shown.exit_code != 0
    assert json.loads(shown.output.splitlines()[0])["code"] == code


def test_the_page_is_up_to_date():
    made = runpy.run_path(str(ROOT / "docs" / "documents.py"))["page"]()
    assert (ROOT / "docs" / "documents.md").read_text("utf-8") == made, "run: python docs/documents.py"
    assert "CC BY 4.0" in made
    for file in FOLDER.glob("*.toml"):
        text = file.read_text("utf-8")
        assert "(by passport-photo-specs)" not in text or "CC BY 4.0" in text, "the attribution is missing"


def test_what_was_not_read_is_not_dated_today():
    for each in ALL:
        for source in each.sources:
            if (
                "quoted by" in source.says
                or "by passport-photo-specs" in source.says
                or "by a photo tool" in source.says
            ):
                assert source.checked < "2026-11-20", f"{each.id}: {source.url}"
