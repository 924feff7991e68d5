"""Every error that Likeness Studio raises on purpose: one class, one code, one hint each.

A message is one sentence that says what happened, with what value, and what to do. Programs branch on `code`
(stable, printed by ``--json``); people read the message. `registry()` lists all codes for the documentation and
for the test that keeps the list honest.
"""

from __future__ import annotations

from typing import Any, ClassVar


class LikenessError(Exception):
    """The root of the tree: catch this to catch everything that the pack raises on purpose."""

    code: ClassVar[str] = ""
    meaning: ClassVar[str] = ""
    hint: ClassVar[str] = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process as it is: what the constructor made of its arguments is carried, not made again."""
        return _remade, (type(self), self.args), self.__dict__

    def as_dict(self) -> dict[str, str]:
        """The error for machine output: ``code``, ``message``, what the code means, and what can be done about it."""
        return {"code": self.code, "message": str(self), "meaning": self.meaning, "hint": self.hint}


def _remade(cls: type[LikenessError], words: tuple[Any, ...]) -> LikenessError:
    """An error of another process; its attributes are set by pickle."""
    error = cls.__new__(cls, *words)
    error.args = words
    return error


def registry() -> dict[str, type[LikenessError]]:
    """All leaf errors by code. Two classes with one code are a programming error and raise ValueError."""
    found: dict[str, type[LikenessError]] = {}
    pending = [LikenessError]
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if not cls.code:
            continue
        if cls.code in found:
            raise ValueError(f"Two errors share the code {cls.code!r}: {found[cls.code]} and {cls}.")
        found[cls.code] = cls
    return dict(sorted(found.items()))


class Interrupted(LikenessError):
    """The user stopped the run."""

    code = "interrupted"
    meaning = "The run was stopped by the user before it finished."
    hint = "Give the same command again; a batch goes on where it stopped, and a single run starts from the beginning."


class DependencyMissing(LikenessError):
    """An optional package is needed for what was asked and cannot be imported."""

    code = "dependency_missing"
    meaning = "An optional Python package is needed for this and is not installed."
    hint = "Install it into the Python that runs this (ComfyUI may have its own), or choose an option without it."


class UnsafePath(LikenessError):
    """A file name from a graph or a server points outside its folder."""

    code = "unsafe_path"
    meaning = "A file name would leave the folder it belongs to."
    hint = "Give a name without '..' and without a drive, and move the file into the folder first if need be."


class PhotoError(LikenessError):
    """A photo cannot be used."""


class PhotoMissing(PhotoError):
    """There is no file under that name."""

    code = "photo_missing"
    meaning = "The photo does not exist."
    hint = "Check the spelling; a table's paths start at the table's folder, a command's where the command is given."


class PhotoUnreadable(PhotoError):
    """The file is not an image, is damaged, or ends too early."""

    code = "photo_unreadable"
    meaning = "The file is not a picture that can be decoded, or it is truncated."
    hint = "Open it in a viewer and export it as JPEG or PNG, also from HEIC or RAW, or copy it from its source again."


class PhotoTooLarge(PhotoError):
    """The picture has more pixels than can be processed safely."""

    code = "photo_too_large"
    meaning = "The picture has more pixels than the limit."
    hint = "Scale it to a few thousand pixels on its longer side, which is plenty for faces."


class ModelError(LikenessError):
    """A model file cannot be had or cannot be trusted."""


class ModelUnknown(ModelError):
    """The manifest has no model of that name."""

    code = "model_unknown"
    meaning = "No model of that name is in the manifest or the model folders."
    hint = "Choose a name that `likeness models list` shows, or update Likeness Studio if the workflow is newer."


class ModelMissing(ModelError):
    """The model is known but its file is not on this machine."""

    code = "model_missing"
    meaning = "The model's file is not on this machine and was not downloaded."
    hint = "Run `likeness models get NAME` while online, or copy the file from another machine into the model folder."


class ModelCorrupt(ModelError):
    """A file's sha256 is not the manifest's."""

    code = "model_corrupt"
    meaning = "A model file's sha256 differs from the manifest."
    hint = "Run `likeness models verify` to see which files are damaged and `likeness models get NAME` to replace them."


class DownloadFailed(ModelError):
    """No source delivered the file."""

    code = "download_failed"
    meaning = "None of a model's sources could be reached or delivered the right file."
    hint = "Check the network and HTTPS_PROXY, or fetch the file on another machine and copy it into the model folder."


class DiskFull(ModelError):
    """There is no room for the file."""

    code = "disk_full"
    meaning = "The disk has no room for a file that must be written."
    hint = "Free some space, or put models on another disk with LIKENESS_MODELS and results on another with --output."


class UnsafeWeights(ModelError):
    """The file is a pickle or another format that can run code when loaded."""

    code = "unsafe_weights"
    meaning = "The file is in a format that can run code when it is loaded; only safetensors and ONNX are read."
    hint = "Get it as .safetensors or .onnx from its publisher; convert a pickle only if you trust where it is from."


class CaptionerUnusable(ModelError):
    """A captioning folder is incomplete, damaged, or of a kind that cannot caption."""

    code = "captioner_unusable"
    meaning = "A folder is not a captioning model that transformers can load from its safetensors."
    hint = "Use BLIP, Florence-2 (the version for transformers) or a chat model with images, complete, as safetensors."


class IdentityError(LikenessError):
    """A person cannot be enrolled or compared."""


class FaceNotUsable(IdentityError):
    """A single face was needed and the picture has none, several, or one that is too small."""

    code = "face_not_usable"
    meaning = "A step needs exactly one face of sufficient size and the picture does not have it."
    hint = "Use a sharp, frontal photo and crop other people out, or set the node's several_faces to largest."


class EnrollmentRefused(IdentityError):
    """One or more reference photos cannot be used to enroll a person."""

    code = "enrollment_refused"
    meaning = "Reference photos have no face, several faces, a face that is too small, or disagree."
    hint = "Replace the photos that the message names, or set on_refused to 'leave out' to enroll with the others."


class EngineMismatch(IdentityError):
    """An identity was enrolled with another recogniser than the one that should compare it."""

    code = "engine_mismatch"
    meaning = "Embeddings of two different recognisers were about to be compared."
    hint = "Connect one Load Face Engine node to all nodes that take an engine, and enroll the person with that."


class CalibrationMissing(IdentityError):
    """No threshold was measured for this recogniser or this false match rate."""

    code = "calibration_missing"
    meaning = "The recogniser has no measured threshold for the strictness that was asked for."
    hint = (
        "Use the default engine yunet-sface, whose thresholds are measured, or another strictness of the node's list."
    )


class NoneLikeEnough(IdentityError):
    """No picture of a batch passed the likeness gate and the user chose to stop then."""

    code = "none_like_enough"
    meaning = "No picture passed the likeness check and the node was set to stop in that case."
    hint = "Make more pictures in a run, lower the denoise, or set on_none to 'best anyway, marked as failed'."


class IdentityFileInvalid(IdentityError):
    """A saved identity is damaged, of another kind, or a pickle."""

    code = "identity_file_invalid"
    meaning = "The file is not an identity that Likeness Studio saved."
    hint = "Enroll the person again from the photos with Enroll Identity and keep the result with Save Identity."


class PortraitError(LikenessError):
    """A portrait step cannot be done."""


class ShapeMismatch(PortraitError):
    """Two pictures or masks that belong together differ in size or number."""

    code = "shape_mismatch"
    meaning = "An image, mask or background does not have the size or the number that the others have."
    hint = "Take the picture and its mask from the same nodes, and resize, crop or repeat both together."


class MatteMissing(PortraitError):
    """More than the face is to be protected and nothing says where the person is."""

    code = "matte_missing"
    meaning = "A step needs the person's matte and none was connected."
    hint = "Connect the mask of Matte Person or Refine Matte, or choose to protect the face only."


class EngineUnsuitable(PortraitError):
    """The face engine gives other embeddings than a model was made for."""

    code = "engine_unsuitable"
    meaning = "A model that changes faces needs the embeddings of another face engine than the one connected."
    hint = "Connect Load Face Engine set to insightface with the pack buffalo_l, or turn the node off."


class SwapModelUnsuitable(PortraitError):
    """An ONNX file was chosen for swapping faces and is not made for that."""

    code = "swap_model_unsuitable"
    meaning = "The ONNX file does not have the inputs, the output and the table of a face swapping model."
    hint = "Use insightface's inswapper_128.onnx; other swapping models need other code."


class BadColour(PortraitError):
    """A colour is not written as #rrggbb and is not a known name."""

    code = "bad_colour"
    meaning = "A colour could not be read; write it as #rrggbb."
    hint = "Put quotes around #rrggbb in a shell, where # begins a comment, or use a name such as navy."


class PromptingError(LikenessError):
    """A prompt cannot be written from what was chosen."""


class PresetInvalid(PromptingError):
    """A file of prompt presets is damaged or says something that presets cannot say."""

    code = "preset_invalid"
    meaning = "A preset file is not TOML, or a preset in it misses a wording or has a wrong type."
    hint = "Correct the line or key that the message names, or move the file out of the presets folder."


class PresetUnknown(PromptingError):
    """A choice of a prompt node is in no preset file of this machine."""

    code = "preset_unknown"
    meaning = "A workflow asks for a preset that neither the pack nor the presets folder has."
    hint = "Choose another one from the node's list, or copy the missing preset file from where the workflow is from."


class NameUnusable(PromptingError):
    """A subject token cannot be made from this name by this scheme."""

    code = "name_unusable"
    meaning = "Nothing is left of the name for the scheme that should make a token of it."
    hint = "Give a name with Latin letters, or choose the scheme 'rare vocabulary entry', which takes any name."


class TrainingError(LikenessError):
    """A network cannot be trained."""


class TrainingDataTooSmall(TrainingError):
    """There are not enough photos to train on and to measure with."""

    code = "training_data_too_small"
    meaning = "A folder to train on does not exist, or has too few photos that can be read."
    hint = "Give a folder with at least two photos, better a few hundred; folders inside it are read too."


class TrainingStateInvalid(TrainingError):
    """A training cannot be gone on with, or a trained file is of another kind."""

    code = "training_state_invalid"
    meaning = "The file of a training is missing, damaged, of another kind, or was made with other settings."
    hint = "Give the same options as at the start together with --resume, or start anew without --resume."


class TrainingDiverged(TrainingError):
    """The loss is no number any more."""

    code = "training_diverged"
    meaning = "The loss of a training became infinite or no number."
    hint = "Train again with a lower --rate; what was saved before is kept and can be gone on with by --resume."


class CompareError(LikenessError):
    """Pictures or settings cannot be compared as asked."""


class BadNumbers(CompareError):
    """The values to try are no list of numbers."""

    code = "bad_numbers"
    meaning = "The values to be tried are missing, too many, or not all numbers."
    hint = "Write numbers with a decimal point, separated by commas, such as 0.1, 0.3, 0.5."


class NothingToCompare(CompareError):
    """No picture came to the comparison."""

    code = "nothing_to_compare"
    meaning = "A comparison was given an empty list of pictures."
    hint = "Take the pictures from before the gate: a gate that nothing passes gives an empty list."


class LabelsMismatch(CompareError):
    """There are more or fewer labels than pictures to compare."""

    code = "labels_mismatch"
    meaning = "The number of labels is neither that of the pictures nor that of the batches they come in."
    hint = "Take the labels from the Try Strengths node whose values made the pictures, or leave them out."
