"""The reports that nodes, runs and commands give, as types: read once where they come in, whoever wrote them.

Unknown fields are kept, wrong values count as none, `as_dict` gives back what came; docs/schemas.md shows them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ...core.outcome_words import BAD, LIKENESS, PICTURE, RULES, SELFIE, Shown, Tone, heading_of
from .schema_base import Count, Listed, NodeFile, Number, Report, Text, Texts, Truth

if TYPE_CHECKING:
    from ..backends.result import RunResult


class Baseline(Report):
    """How alike a person's own reference photos are."""

    median: Number = None
    low: Number = None
    photos: Count = None


class PictureReport(Report):
    """The verdict on a picture itself (pass, not seen, look or fail), why, and what was measured in it."""

    verdict: Text = ""
    reasons: Texts = []
    measured: dict[str, float] = {}


class JudgedImage(Report):
    """One picture that was compared with a person."""

    index: Count = None
    outcome: Text = ""
    passed: Truth = None
    cosine: Number = None
    score: Number = None
    reason: Text = ""
    box: list[float] | None = None
    face_size: Number = None
    notes: Texts = []
    picture: PictureReport | None = None

    @property
    def word(self) -> str:
        """The outcome as a heading."""
        return heading_of(LIKENESS, self.outcome)


class FromNode(Report):
    """A report that a node of a run gave: by its id, and by its title for people."""

    node: Text = ""
    title: Text = ""


class JudgeReport(FromNode):
    """By what pictures were judged: what reports on likeness and comparisons share."""

    engine: Text = ""
    person: Text = ""
    reference_photos: Count = None
    threshold: Number = None
    threshold_source: Text = ""
    fmr: Number = None
    every_group: Truth = None
    baseline: Baseline | None = None
    independent: Truth = None
    doubts: Texts = []
    told: Texts = []
    warnings: Texts = []


class LikenessReport(JudgeReport):
    """Whether pictures show a person: by Check Likeness, Gate and Keep Best. `kept`: the pictures that were chosen."""

    all_passed: Truth = None
    best: Number = None
    identity_sha256: Text = ""
    images: Listed[JudgedImage] = []
    kept: list[int] | None = None

    @property
    def judged(self) -> list[JudgedImage]:
        """The pictures that the verdict is about: where some were chosen among many, the chosen ones."""
        return self.images if self.kept is None else [image for image in self.images if image.index in self.kept]

    @property
    def passed(self) -> bool:
        """Whether the report says yes."""
        from ..backends.result import report_passed

        return report_passed(self._given)


class PhotoQuality(Report):
    """What is said of a reference photo's quality."""

    verdict: Text = ""
    says: Text = ""
    advice: Texts = []


class ReferencePhoto(Report):
    """What became of one reference photo. `name`: its file, where that is known."""

    index: Count = None
    name: Text = ""
    outcome: Text = ""
    reason: Text = ""
    agreement: Number = None
    box: list[float] | None = None
    notes: Texts = []
    quality: PhotoQuality | None = None

    @property
    def poor(self) -> bool:
        """Whether it is a poor photo, although it may have been accepted."""
        return self.quality is not None and self.quality.verdict == "fail"


class EnrollmentReport(FromNode):
    """What became of a person's reference photos."""

    engine: Text = ""
    accepted: Count = None
    baseline: Number = None
    photos: Listed[ReferencePhoto] = []
    quality: Text = ""


class RuleCheck(Report):
    """One rule, and what the photo shows of it."""

    name: Text = ""
    title: Text = ""
    group: Text = ""
    outcome: Text = ""
    value: Number = None
    shown: Text = ""
    limit: Text = ""
    advice: Text = ""
    detail: Text = ""
    source: Text = ""
    failing: Text = ""

    @property
    def style(self) -> str:
        """The class of the outcome's tag on a page; empty where it has no colour."""
        return RULES[self.outcome].tone.tag if self.outcome in RULES else ""


class RuleSource(Report):
    """Where a document's rules come from."""

    url: Text = ""
    checked: Text = ""

    @property
    def is_web(self) -> bool:
        """Whether the address may stand in a link."""
        return self.url.startswith(("https://", "http://"))


class ComplianceReport(FromNode):
    """A photo judged by the rules of a document (`kind` id_photo), or as a reference photo (selfie)."""

    kind: Text = ""
    name: Text = ""
    document: Text = ""
    document_title: Text = ""
    country: Text = ""
    verdict: Text = ""
    passed: Truth = None
    headline: Text = ""
    width: Count = None
    height: Count = None
    faces: list[list[float]] = []
    checks: Listed[RuleCheck] = []
    notes: Texts = []
    not_measurable: Texts = []
    sources: Listed[RuleSource] = []
    confidence: Text = ""

    @property
    def word(self) -> str:
        """The verdict as a heading; one that is not known stands for itself."""
        return heading_of(SELFIE if self.kind == "selfie" else RULES, self.verdict)

    @property
    def tone(self) -> Tone:
        """The verdict's colour; one that is not known is bad."""
        return RULES[self.verdict].tone if self.verdict in RULES else BAD


class FrameRule(Report):
    """A rule on where the head is, in `unit`, and whether it is met."""

    name: Text = ""
    value: Number = None
    uncertainty: Number = None
    low: Number = None
    high: Number = None
    unit: Text = ""
    met: Truth = None
    margin_sigma: Number = None


class IDPhotoReport(FromNode):
    """An ID photo that was made: its size, and how the rules on its frame are kept."""

    document: Text = ""
    document_title: Text = ""
    confidence: Text = ""
    width_px: Count = None
    height_px: Count = None
    dpi: Number = None
    photo_dpi: Number = None
    width_mm: Number = None
    height_mm: Number = None
    turned_degrees: Number = None
    scale: Number = None
    eyes_apart_px: Number = None
    rules: Listed[FrameRule] = []
    advice: Listed[FrameRule] = []
    broken: Texts = []
    to_do: Texts = []
    warnings: Texts = []
    edits_made: Texts = []
    edits_rule: Text = ""
    notes: Texts = []
    document_notes: Texts = []


class ComparedPicture(Report):
    """One of the pictures that were compared."""

    label: Text = ""
    series: Text = ""
    value: Number = None
    outcome: Text = ""
    passed: Truth = None
    cosine: Number = None
    score: Number = None
    reason: Text = ""

    @property
    def word(self) -> str:
        """The outcome as a heading."""
        return heading_of(LIKENESS, self.outcome)


class MeasuredReport(FromNode):
    """A stage between Start Measuring and Stop Measuring. `cached`: its figures are those of an earlier run."""

    name: Text = ""
    seconds: Number = None
    peak_memory_bytes: Count = None
    device: Text = ""
    cached: bool = False


class ComparisonReport(JudgeReport):
    """Pictures that Compare Likeness judged side by side. `best` is the label of the most alike."""

    axis: Text = ""
    best: Text = ""
    passed: Count = None
    pictures: Listed[ComparedPicture] = []


class ModelUsed(Report):
    """A model, and under which terms it may be used."""

    name: Text = ""
    licence: Text = ""
    commercial: Text = ""
    use: Text = ""


class ProvenanceReport(Report):
    """What is written into a picture's file of its making."""

    generative: Text = ""
    statement: Text = ""
    digital_source_type: str | None = None
    steps: Texts = []
    reasons: Texts = []
    models: Listed[ModelUsed] = []
    workflow_hash: Text = ""
    document: Text = ""
    edits: list[str] | None = None
    creator: Text = ""
    tool: Text = ""


class RefusedChange(Report):
    """An error as data."""

    code: Text = ""
    message: Text = ""
    meaning: Text = ""
    hint: Text = ""


class IDPhotoFileReport(Report):
    """What `likeness id` writes beside each photo: NAME.report.json."""

    photo: Text = ""
    file: Text = ""
    bytes: Count = None
    quality: Count = None
    failed: Truth = None
    refused: RefusedChange | None = None
    made: IDPhotoReport | None = None
    check: ComplianceReport | None = None
    provenance: ProvenanceReport | None = None
    files: dict[str, str] = {}
    seconds: Number = None


class WorkflowNamed(Report):
    """A workflow, and the hash of what it does."""

    name: Text = ""
    hash: Text = ""


class NodeSeconds(Report):
    """How long a node took. `cached`: it took its result from an earlier run."""

    node: Text = ""
    title: Text = ""
    class_type: Text = ""
    seconds: Number = None
    cached: bool = False


class LookAt(FromNode):
    """What a person should look at in a picture, in a sentence: the cut-out, the frame, light and sharpness."""

    text: Text = ""


class RunReport(Report):
    """One run: report.json, the last line of `run --json`, and `result` in a batch's verdicts.json."""

    workflow: WorkflowNamed = WorkflowNamed()
    engine: Text = ""
    started: Text = ""
    seconds: Number = None
    server_seconds: Number = None
    prompt_id: str | None = None
    notes: Texts = []
    saved_nothing: Truth = None
    verdict: Truth = None
    picture: str | None = None
    look: Listed[LookAt] = []
    outputs: Listed[NodeFile] = []
    photos: Listed[NodeFile] = []
    likeness: Listed[LikenessReport] = []
    enrollments: Listed[EnrollmentReport] = []
    compliance: Listed[ComplianceReport] = []
    id_photos: Listed[IDPhotoReport] = []
    comparisons: Listed[ComparisonReport] = []
    measured: Listed[MeasuredReport] = []
    models: Listed[ModelUsed] = []
    times: Listed[NodeSeconds] = []
    text: dict[str, Any] = {}

    @classmethod
    def of(cls, result: RunResult) -> Self:
        """The report of a run that has just ended."""
        return cls.read(result.as_dict())

    @property
    def picture_shown(self) -> Shown | None:
        """The verdict on the picture itself for people; one that is not known counts as not seen."""
        return None if self.picture is None else PICTURE.get(self.picture, PICTURE["not seen"])

    @property
    def to_look_at(self) -> bool:
        """Whether somebody should look at the picture before it is handed on: all that is not known to be good."""
        return self.picture not in (None, "pass") or bool(self.look)

    @property
    def judged_by_rules(self) -> bool:
        """Whether photos were judged by rules, and nobody's likeness."""
        return bool(self.compliance or self.id_photos) and not self.likeness
