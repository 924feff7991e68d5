"""Content credentials for real: signed with a certificate made here, checked, altered, saved again."""

import io
import sys
import time

import pytest
from PIL import Image

from likeness_studio.core.errors import DependencyMissing, PhotoUnreadable
from likeness_studio.core.errors.formats import CredentialsNotSetUp, CredentialsRefused, FileSizeOutOfReach
from likeness_studio.core.imaging import encode_picture
from likeness_studio.core.provenance import (
    MIME,
    Action,
    Ingredient,
    Record,
    Signature,
    Signing,
    State,
    Target,
    available,
    check_credentials,
    check_file,
    credentials_of,
    padding_is_clean,
    picture_file,
    sign,
)
from likeness_studio.core.provenance import source_types as iptc

FORMS = ("jpeg", "png", "webp")
TOOL = ("Likeness Studio", "0.1.0")


@pytest.fixture(scope="module")
def signing(certificates):
    return Signing.from_files(certificates.chain, certificates.key)


@pytest.fixture(scope="module")
def signed(demo, demo_bytes, signing):
    """The demo photo, signed, by format."""
    parent = [Ingredient(demo_bytes, "image/jpeg")]
    actions = [Action("c2pa.cropped", "ImageCrop"), Action("c2pa.edited", "KSampler", iptc.GENERATED)]
    return {
        form: sign(
            encode_picture(demo, form, dpi=300).data, form, signing, tool=TOOL, actions=actions, ingredients=parent
        )
        for form in FORMS
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_signed_file_is_intact_and_its_signer_not_trusted(signed, certificates, form):
    found = check_credentials(signed[form], MIME[form])
    assert (found.state, found.trusted, found.problems) == (State.INTACT, False, ())
    assert (found.signer, found.issuer, found.generator) == ("Test signer", "Likeness Studio tests", " ".join(TOOL))
    assert found.actions == ("c2pa.opened", "c2pa.cropped", "c2pa.edited")
    assert found.source_types == (iptc.GENERATED,)
    assert found.ingredients == 1
    assert check_credentials(signed[form], MIME[form], certificates.authority.read_bytes()).trusted


def test_another_authority_does_not_make_it_trusted(signed, make_certificates, tmp_path):
    other = make_certificates(tmp_path)
    found = check_credentials(signed["jpeg"], MIME["jpeg"], other.authority.read_bytes())
    assert (found.state, found.trusted) == (State.INTACT, False)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", [0.35, 0.5, 0.75, 0.97])
def test_an_altered_byte_of_the_pixels_is_found_out(signed, form, place):
    data = bytearray(signed[form])
    data[int(len(data) * place)] ^= 0x01
    assert check_credentials(bytes(data), MIME[form]).state is State.ALTERED


@pytest.mark.parametrize("form", FORMS)
def test_altered_bytes_of_the_manifest_are_found_out(signed, form):
    """Every 7th byte. What is not found out is a little of the boxes' own framing: all that is told stays the same."""
    data, boxes = bytearray(signed[form]), credentials_of(signed[form])
    begin = signed[form].find(boxes)
    assert begin > 0
    told = check_credentials(signed[form], MIME[form])
    passed = 0
    for at in range(begin, begin + len(boxes), 7):
        data[at] ^= 0x01
        found = check_credentials(bytes(data), MIME[form])
        data[at] ^= 0x01
        if found.state is not State.ALTERED:
            passed += 1
            assert found == told
    assert passed <= 0.03 * len(boxes) / 7


def test_padding_that_no_signature_covers_is_looked_at(signed):
    data = bytearray(signed["jpeg"])
    pad = signed["jpeg"].find(b"cpadY")
    assert pad > 0
    data[pad + 100] = 0x20
    found = check_credentials(bytes(data), MIME["jpeg"])
    assert (found.state, found.problems) == (State.ALTERED, ("padding.altered",))


def test_padding_of_blanks_as_some_programs_write_it_is_none_of_our_business():
    assert padding_is_clean(b"...cpadG       ...cpadY\x00\x03\0\0\0cpadX\x02\0\0")
    assert not padding_is_clean(b"...cpadG      x")
    assert not padding_is_clean(b"...cpadX\x02\0 ")


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_that_was_saved_again_has_no_credentials(signed, form):
    copy = io.BytesIO()
    Image.open(io.BytesIO(signed[form])).save(copy, form)
    assert check_credentials(copy.getvalue(), MIME[form]).state is State.NONE


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_ends_early_is_no_picture_any_more(signed, form, tmp_path):
    path = tmp_path / f"short.{form}"
    path.write_bytes(signed[form][: len(signed[form]) // 2])
    with pytest.raises(PhotoUnreadable):
        check_file(path)


def test_credentials_moved_to_another_picture_do_not_fit(signed, demo):
    data = signed["jpeg"]
    end = data.find(credentials_of(data)) + len(credentials_of(data))
    segment = data[data.find(b"\xff\xeb") : end]
    other = encode_picture(1 - demo, "jpeg", dpi=300).data
    forged = other[:2] + segment + other[2:]
    assert check_credentials(forged, MIME["jpeg"]).state is State.ALTERED


def test_no_photo_and_several_photos(demo, demo_bytes, signed, signing):
    plain = encode_picture(demo, "jpeg").data
    made = sign(plain, "jpeg", signing, tool=TOOL, source_type=iptc.GENERATED)
    found = check_credentials(made, MIME["jpeg"])
    assert (found.state, found.actions, found.source_types) == (State.INTACT, ("c2pa.created",), (iptc.GENERATED,))
    two = [Ingredient(demo_bytes, "image/jpeg"), Ingredient(signed["png"], "image/png")]
    found = check_credentials(
        sign(plain, "jpeg", signing, tool=TOOL, ingredients=two, source_type=iptc.COMPOSITE), MIME["jpeg"]
    )
    assert (found.state, found.actions, found.ingredients) == (
        State.INTACT,
        ("c2pa.created", "c2pa.placed", "c2pa.placed"),
        2,
    )


def test_the_credentials_of_the_photo_stay_in_the_picture(demo, signed, signing):
    parent = [Ingredient(signed["png"], "image/png")]
    data = sign(encode_picture(demo, "jpeg").data, "jpeg", signing, tool=TOOL, ingredients=parent)
    assert check_credentials(data, MIME["jpeg"]).state is State.INTACT
    assert iptc.GENERATED.encode() in credentials_of(data)


def test_an_altered_photo_leaves_its_mark_in_what_was_made_of_it(demo, signed, signing):
    bad = bytearray(signed["png"])
    bad[len(bad) // 2] ^= 1
    data = sign(
        encode_picture(demo, "jpeg").data, "jpeg", signing, tool=TOOL, ingredients=[Ingredient(bytes(bad), "image/png")]
    )
    found = check_credentials(data, MIME["jpeg"])
    assert found.signer == "Test signer"


def test_the_signature_counts_in_the_size_of_the_file(demo, demo_bytes, signing):
    signature = Signature(signing, (), (Ingredient(demo_bytes, "image/jpeg"),))
    for limit in (60_000, 90_000):
        file = picture_file(demo, Target("jpeg", 95, 300, limit), Record(), signature=signature)
        assert limit * 0.8 < len(file.data) <= limit
        assert check_credentials(file.data, MIME["jpeg"]).state is State.INTACT
    with pytest.raises(FileSizeOutOfReach):
        picture_file(demo, Target("jpeg", 95, 300, 26_000), Record(), signature=signature)


def test_a_certificate_that_has_expired_signs_nothing(demo, make_certificates, tmp_path):
    old = make_certificates(tmp_path, days=-2)
    signing = Signing.from_files(old.chain, old.key)
    with pytest.raises(CredentialsRefused, match="not valid at time of signing"):
        sign(encode_picture(demo, "jpeg").data, "jpeg", signing, tool=TOOL, source_type=iptc.COMPOSITE)


def test_a_certificate_that_expires_afterwards_is_told_from_an_altered_file(demo, make_certificates, tmp_path):
    brief = make_certificates(tmp_path, days=3 / 86_400)
    signing = Signing.from_files(brief.chain, brief.key)
    data = sign(encode_picture(demo, "jpeg").data, "jpeg", signing, tool=TOOL, source_type=iptc.COMPOSITE)
    time.sleep(4)
    found = check_credentials(data, MIME["jpeg"], brief.authority.read_bytes())
    assert (found.state, found.trusted) == (State.EXPIRED, False)
    spoilt = data[:-500] + bytes([data[-500] ^ 1]) + data[-499:]
    assert check_credentials(spoilt, MIME["jpeg"]).state is State.ALTERED


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(demo, certificates, make_certificates, tmp_path):
    other = make_certificates(tmp_path)
    signing = Signing.from_files(certificates.chain, other.key)
    with pytest.raises(CredentialsRefused):
        sign(encode_picture(demo, "jpeg").data, "jpeg", signing, tool=TOOL, source_type=iptc.COMPOSITE)


def test_a_timestamp_authority_that_does_not_answer_is_told(demo, certificates):
    signing = Signing.from_files(certificates.chain, certificates.key, timestamps="http://127.0.0.1:9/")
    with pytest.raises(CredentialsRefused):
        sign(encode_picture(demo, "jpeg").data, "jpeg", signing, tool=TOOL, source_type=iptc.COMPOSITE)


def test_the_environment_names_files_or_holds_the_key(certificates):
    both = {"LIKENESS_C2PA_CERT": str(certificates.chain), "LIKENESS_C2PA_KEY": str(certificates.key)}
    named = Signing.from_environment(both)
    held = Signing.from_environment(both | {"LIKENESS_C2PA_KEY": certificates.key.read_text()})
    assert named == held
    assert named.timestamps is None
    assert "PRIVATE" not in repr(named)
    asked = Signing.from_environment(both | {"LIKENESS_C2PA_TSA": "http://tsa.example", "LIKENESS_C2PA_ALG": "ES256"})
    assert (asked.timestamps, asked.algorithm) == ("http://tsa.example", "es256")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"LIKENESS_C2PA_CERT": ""}, "LIKENESS_C2PA_CERT is not set"),
        ({"LIKENESS_C2PA_KEY": ""}, "LIKENESS_C2PA_KEY is not set"),
        ({"LIKENESS_C2PA_KEY": "missing.pem"}, "cannot be read"),
        ({"LIKENESS_C2PA_CERT": __file__}, "not PEM"),
        ({"LIKENESS_C2PA_ALG": "rsa"}, "no algorithm"),
    ],
)
def test_what_is_not_set_up_is_named(certificates, change, said):
    both = {"LIKENESS_C2PA_CERT": str(certificates.chain), "LIKENESS_C2PA_KEY": str(certificates.key)}
    with pytest.raises(CredentialsNotSetUp, match=said):
        Signing.from_environment(both | change)


def test_a_locked_key_is_refused_in_words(make_certificates, tmp_path):
    locked = make_certificates(tmp_path, password=b"secret")
    with pytest.raises(CredentialsNotSetUp, match="password"):
        Signing.from_files(locked.chain, locked.key)


def test_without_the_library(signed, signing, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert not available()
    assert check_credentials(signed["png"], MIME["png"]).state is State.NOT_CHECKED
    with pytest.raises(DependencyMissing, match="pip install c2pa-python"):
        sign(signed["png"], "png", signing, tool=TOOL)
