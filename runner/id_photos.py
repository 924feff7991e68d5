"""ID photos from photo files, one after the other: looked at, cut at full size, checked, and written."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.choices import Background
from ..core.errors.formats import AlterationForbidden
from ..core.files import write_new, write_whole
from ..core.id_photo.make import Made, MakeOptions, choose_background, make_id_photo
from ..core.id_photo.measures import History
from ..core.provenance.save import FORMS, SUFFIXES, Target, picture_file, record_of, target_for
from ..core.provenance.source_types import ALGORITHMIC, COMPOSITE, ENHANCED, GENERATIVE, VOCABULARY, short
from ..core.provenance.verify_file import check_file
from ..core.provenance.xmp import Claims, Generative
from .errors import OutputUnwritable

if TYPE_CHECKING:
    import torch

    from ..core.id_photo.judge import Compliance
    from ..core.imaging.encode import Encoded
    from ..core.provenance.credentials import Signing
    from ..core.provenance.save import Signature
    from ..core.provenance.trace import Making
    from ..core.provenance.xmp import Record

COMPOSED = frozenset({COMPOSITE, VOCABULARY + "compositeCapture"})
"""Several pictures in one: a replaced background is that, too."""

CHANGED = frozenset(
    {ALGORITHMIC, ENHANCED}
    | {VOCABULARY + term for term in ("humanEdits", "softwareImage", "digitalArt", "digitalCreation")}
    | {VOCABULARY + term for term in ("virtualRecording", "dataDrivenMedia", "compositeSynthetic")}
)
"""What is no photo, or was edited. Minor edits are not among them: cutting is one."""


def read_history(path: Path) -> History:
    """What the file at `path` says, in XMP, in content credentials or by what generating programs leave in it.

    A statement that speaks against the photo is believed from anybody. Raises what `check_file` raises.
    """
    seen = check_file(path)
    claims = seen.claims or Claims()
    record = claims.record
    sources = [each for each in (claims.source_type, *seen.credentials.source_types) if each]
    generated = [f"its source is {short(each)}" for each in sources if each in GENERATIVE]
    if not generated and seen.origin.generative is Generative.SOME:
        generated = [seen.origin.reason]
    changed = [f"its source is {short(each)}" for each in sources if each in CHANGED - GENERATIVE]
    composed = [f"its source is {short(each)}" for each in sources if each in COMPOSED]
    return History(
        edits=None if record is None else record.edits,
        changed=tuple(dict.fromkeys(generated + changed)),
        composed=tuple(dict.fromkeys(composed)),
    )


WORKFLOW = Path(__file__).resolve().parent.parent / "workflows" / "api" / "id_photo.json"
"""The bundled workflow that does the same on the canvas; what is stated of the making follows from its graph."""

QUALITY = 95
"""Of a JPEG whose size no rule limits."""

MATTE, MAKE, SAVE = "LikenessMattePerson", "LikenessMakeIDPhoto", "LikenessSaveWithProvenance"
"""Node classes of that workflow which have settings of a job."""


@dataclass(frozen=True)
class Job:
    """What is made of every photo. `form`: the file format, where the document takes it. `signing`: by whom content
    credentials are signed; None leaves them out."""

    options: MakeOptions
    form: str = "jpeg"
    matte: str = "u2net"
    check: bool = True
    signing: Signing | None = None


@dataclass(frozen=True, eq=False)
class IDPhotoFile:
    """A finished photo and the files that were written: the photo, its overlay, its report.

    `compliance` is None where it was not checked. `seconds` is the time from the photo's file to the finished one.
    `refusal`: a change that was asked for and that the document forbids; the photo was made without it.
    """

    source: Path
    path: Path
    made: Made
    encoded: Encoded
    record: Record
    compliance: Compliance | None
    seconds: float
    refusal: AlterationForbidden | None = None
    others: dict[str, Path] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a rule is broken: one on the head's place, or one that was checked. Doubt is no failure."""
        from ..core.quality.limits import Outcome

        checks = self.compliance.of(Outcome.FAIL) if self.compliance is not None else []
        return bool(checks) or not self.made.met

    def as_dict(self) -> dict[str, Any]:
        """For machine output, and the report's file."""
        return {
            "photo": str(self.source),
            "file": str(self.path),
            "bytes": len(self.encoded.data),
            "quality": self.encoded.quality,
            "failed": self.failed,
            "refused": None if self.refusal is None else self.refusal.as_dict(),
            "made": self.made.report,
            "check": None if self.compliance is None else self.compliance.as_dict(),
            "provenance": self.record.as_dict(),
            "files": {name: str(path) for name, path in self.others.items()},
            "seconds": round(self.seconds, 3),
        }


class IDPhotoMaker:
    """Makes ID photos in this process; the networks are loaded once, at the first photo."""

    def __init__(self, job: Job) -> None:
        """Take the job; a change that its document forbids is left out, and said of each photo."""
        self.job, self.refusal = _allowed(job)

    def make(self, photo: Path, target: Path) -> IDPhotoFile:
        """Make the ID photo of the file `photo` and write it to `target`, or to name_2 and so on where that is taken.

        Raises what reading, `make_id_photo`, encoding and `check_id_photo` raise, and OutputUnwritable.
        """
        import torch

        began = time.perf_counter()
        with torch.inference_mode():
            made = self.picture(photo)
            making = self.making(photo, made)
            record = self.record(making, made)
            form = target_for(made.id_photo.document, _form(self.job.form), QUALITY, made.id_photo.dpi)
            if form.form != self.job.form:
                title = made.id_photo.document.title
                made.report["notes"].append(
                    f"Saved as {form.form.upper()}: the {title} takes no {self.job.form.upper()}."
                )
            encoded = picture_file(made.picture[0], form, record, signature=self._signature(photo, making, made))
            compliance = self._check(photo, made, encoded, form, target) if self.job.check else None
        written = save_new(target.with_suffix(SUFFIXES[form.form]), encoded.data)
        seconds = time.perf_counter() - began
        return IDPhotoFile(photo, written, made, encoded, record, compliance, seconds, self.refusal)

    def picture(self, photo: Path) -> Made:
        """The ID photo of a file, not yet written or checked."""
        from ..core.faces.engines import load_engine
        from ..core.id_photo.look import FileSource
        from ..core.models import runtimes as onnx
        from ..core.models import store
        from ..core.portrait.matte import matte, normalisation_for

        name = self.job.matte

        def person(picture: torch.Tensor) -> torch.Tensor:
            return matte(picture[None], onnx.session(store.path(name)), normalisation_for(name))[0]

        return make_id_photo(FileSource(photo), load_engine(), self.job.options, person)

    def making(self, photo: Path, made: Made) -> Making:
        """How it was made: traced in the graph that does the same, with this photo at its beginning."""
        from ..core.node_facts import Effect
        from ..core.provenance.origin import origin_of
        from ..core.provenance.trace import trace

        graph = self.graph()
        effect = Effect.COMBINES if made.id_photo.edits_made else Effect.CUTS
        return trace(graph, [_saver(graph)], lambda node: origin_of(photo), {MAKE: effect})

    def record(self, making: Making, made: Made) -> Record:
        """What is written of it."""
        graph = self.graph()
        return record_of(making, graph, _saver(graph), made.id_photo)

    def _signature(self, photo: Path, making: Making, made: Made) -> Signature | None:
        from ..core.provenance.save import Signature, ingredients_from
        from ..core.provenance.trace import actions_of

        if self.job.signing is None:
            return None
        actions = actions_of(making.steps, made.id_photo.edits_made)
        return Signature(self.job.signing, actions, ingredients_from([photo]))

    def graph(self) -> Mapping[str, Any]:
        """The bundled workflow with this job's settings, in API format."""
        graph: dict[str, Any] = json.loads(WORKFLOW.read_text("utf-8"))
        options = self.job.options
        chosen = {
            MATTE: {"model": self.job.matte},
            MAKE: {
                "document": options.document.id,
                "background": options.background.value,
                "size": options.size.value,
                "head_size": options.head_size.value,
                "several_faces": "largest" if options.largest else "refuse",
            },
            SAVE: {"format": self.job.form},
        }
        for node in graph.values():
            node["inputs"].update(chosen.get(node["class_type"], {}))
        return graph

    def _check(self, photo: Path, made: Made, encoded: Encoded, form: Target, target: Path) -> Compliance:
        """The report on what was made. The original's JPEG quality counts, too: turning hides the blocks, no more."""
        from ..core.faces.engines import load_engine
        from ..core.id_photo.judge import About, check_id_photo
        from ..core.id_photo.measures import FileFacts, read_facts

        qualities = (encoded.quality if form.form == "jpeg" else None, read_facts(photo).quality)
        saved = [quality for quality in qualities if quality is not None]
        facts = FileFacts(target.name, len(encoded.data), form.form, form.dpi, min(saved, default=None))
        cover: torch.Tensor | None = None if made.matte is None else made.matte[0]
        about = About(file=facts, made=made.id_photo)
        found = check_id_photo(made.picture[0], load_engine(), made.id_photo.document, cover, about)
        document = made.id_photo.document
        refused = [] if self.refusal is None else [f"Refused: {self.refusal}"]
        found.notes[:0] = [*refused, *made.report["to_do"], *made.report["warnings"]]
        found.notes.extend(f"{document.title}: {note}" for note in document.notes)
        return found


def _allowed(job: Job) -> tuple[Job, AlterationForbidden | None]:
    """The job without what its document forbids, and the refusal; with its own background the photo can be made."""
    try:
        choose_background(job.options.document, job.options.background, has_matte=True)
    except AlterationForbidden as error:
        return dataclasses.replace(job, options=dataclasses.replace(job.options, background=Background.KEEP)), error
    return job, None


def _saver(graph: Mapping[str, Any]) -> str:
    """The id of the node that saves."""
    return next(key for key, node in graph.items() if node["class_type"] == SAVE)


def _form(name: str) -> Any:
    return next(form for form in FORMS if form == name)


def save_new(path: Path, data: bytes) -> Path:
    """Write `data` to `path`, or to the first free one of name_2, name_3 and so on. Raises OutputUnwritable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_new(path, data)
    except OSError as error:
        raise OutputUnwritable(
            f"{path.name} cannot be written to {path.parent} ({error.strerror or error}); choose another --out."
        ) from error


def write_report(file: IDPhotoFile) -> IDPhotoFile:
    """Write beside a finished photo: it with its measured lines, the report as JSON and, where checked, as a page."""
    from ..core.id_photo.overlay import draw_overlay
    from ..core.imaging.files import to_pil

    base = file.path.with_suffix("")
    names = {"overlay": ".overlay.png", "json": ".report.json"}
    others = {name: base.with_name(base.name + ending) for name, ending in names.items()}
    try:
        drawn = draw_overlay(file.made.picture[0], file.made.head, file.made.id_photo.document)
        to_pil(drawn).save(others["overlay"], compress_level=1)
        if file.compliance is not None:
            others["html"] = base.with_name(f"{base.name}.report.html")
            write_whole(others["html"], _page(file, file.compliance, others["overlay"]))
        done = dataclasses.replace(file, others=others)
        write_whole(others["json"], json.dumps(done.as_dict(), indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise OutputUnwritable(
            f"The report cannot be written to {base.parent} ({error.strerror or error}); choose another --out."
        ) from error
    return done


def _used(name: str, licence: str) -> dict[str, str]:
    """What the page says of a model: by its entry, where it is one of ours."""
    from ..core.models import store
    from ..core.models.manifest import models

    return store.used(name)[0] if name in models() else {"name": name, "licence": licence}


def _page(file: IDPhotoFile, compliance: Compliance, overlay: Path) -> bytes:
    """The page of `likeness check` for this photo."""
    from .report.compliance import Checked, write_compliance

    models = [_used(name, licence) for name, licence in file.record.models]
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        html, _ = write_compliance([Checked(compliance.as_dict(), file.path, overlay)], models, Path(folder))
        return html.read_bytes()
