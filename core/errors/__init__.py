"""Every error that Likeness Studio raises on purpose: one class, one code, one hint each.

A message is one sentence that says what happened, with what value, and what to do. Programs branch on `code`
(stable, printed by ``--json``); people read the message. `registry()` lists all codes for the documentation and
for the test that keeps the list honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


def first_of(names: Sequence[str], most: int) -> str:
    """The first `most` of several names, and how many more there are, for a sentence."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


class LikenessError(Exception):
    """The root of the tree: catch this to catch everything that the pack raises on purpose."""

    code: ClassVar[str] = ""
    meaning: ClassVar[str] = ""
    hint: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """What a code means is what the class's docstring says, unless the class says it apart."""
        if "code" in vars(cls) and "meaning" not in vars(cls):
            cls.meaning = cls.__doc__ or ""

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
    """The run was stopped by the user before it finished."""

    code = "interrupted"
    hint = "Give the same command again; a batch goes on where it stopped, and a single run starts from the beginning."


class DependencyMissing(LikenessError):
    """An optional Python package is needed for this and is not installed."""

    code = "dependency_missing"
    hint = "Install it into the Python that runs this (ComfyUI may have its own), or choose an option without it."


class UnsafePath(LikenessError):
    """A file name would leave the folder it belongs to."""

    code = "unsafe_path"
    hint = "Give a name without '..' and without a drive, and move the file into the folder first if need be."


class PhotoError(LikenessError):
    """A photo cannot be used."""


class PhotoMissing(PhotoError):
    """The photo does not exist."""

    code = "photo_missing"
    hint = "Check the spelling; a table's paths start at the table's folder, a command's where the command is given."


class PhotoUnreadable(PhotoError):
    """The file is not a picture that can be decoded, or it is truncated."""

    code = "photo_unreadable"
    hint = "Open it in a viewer and export it as JPEG or PNG, also from HEIC or RAW, or copy it from its source again."


class PhotoTooLarge(PhotoError):
    """The picture has more pixels than the limit."""

    code = "photo_too_large"
    hint = "Scale it to a few thousand pixels on its longer side, which is plenty for faces."


class ModelError(LikenessError):
    """A model file cannot be had or cannot be trusted."""


class ModelUnknown(ModelError):
    """No model of that name is in the manifest or the model folders."""

    code = "model_unknown"
    hint = "Choose a name that `likeness models list` shows, or update Likeness Studio if the workflow is newer."


class ModelMissing(ModelError):
    """The model's file is not on this machine and was not downloaded."""

    code = "model_missing"
    hint = "Run `likeness models get NAME` while online, or copy the file from another machine into the model folder."


class ModelCorrupt(ModelError):
    """A model file's sha256 differs from the manifest."""

    code = "model_corrupt"
    hint = "Run `likeness models verify` to see which files are damaged and `likeness models get NAME` to replace them."


class ModelTooSlow(ModelError):
    """A network did not answer in the time that any network for it needs, on any machine."""

    code = "model_too_slow"
    hint = "Use another model file: one that never ends is damaged, or was made to hold up a server."


class DownloadFailed(ModelError):
    """None of a model's sources could be reached or delivered the right file."""

    code = "download_failed"
    hint = "Check the network and HTTPS_PROXY, or fetch the file on another machine and copy it into the model folder."


class DiskFull(ModelError):
    """The disk has no room for a file that must be written."""

    code = "disk_full"
    hint = "Free some space, or put models on another disk with LIKENESS_MODELS and results on another with --output."


class UnsafeWeights(ModelError):
    """The file is in a format that can run code when it is loaded; only safetensors and ONNX are read."""

    code = "unsafe_weights"
    hint = "Get it as .safetensors or .onnx from its publisher; convert a pickle only if you trust where it is from."


class CaptionerUnusable(ModelError):
    """A folder is not a captioning model that transformers can load from its safetensors."""

    code = "captioner_unusable"
    hint = "Use BLIP, Florence-2 (the version for transformers) or a chat model with images, complete, as safetensors."


class IdentityError(LikenessError):
    """A person cannot be enrolled or compared."""


class FaceNotUsable(IdentityError):
    """A step needs exactly one face of sufficient size and the picture does not have it."""

    code = "face_not_usable"
    hint = "Use a sharp, frontal photo and crop other people out, or set the node's several_faces to largest."


class EnrollmentRefused(IdentityError):
    """Reference photos have no face, several faces, a face that is too small, or disagree."""

    code = "enrollment_refused"
    hint = "Replace the photos that the message names, or set on_refused to 'leave out' to enroll with the others."


class EngineMismatch(IdentityError):
    """Embeddings of two different recognisers were about to be compared."""

    code = "engine_mismatch"
    hint = "Connect one Load Face Engine node to all nodes that take an engine, and enroll the person with that."


class CalibrationMissing(IdentityError):
    """The recogniser has no measured threshold for the strictness that was asked for."""

    code = "calibration_missing"
    hint = (
        "Use the default engine yunet-sface, whose thresholds are measured, or another strictness of the node's list."
    )


class NoneLikeEnough(IdentityError):
    """No picture passed the likeness check and the node was set to stop in that case."""

    code = "none_like_enough"
    hint = "Make more pictures in a run, lower the denoise, or set on_none to 'best anyway, marked as failed'."


class IdentityFileInvalid(IdentityError):
    """The file is not an identity that Likeness Studio saved."""

    code = "identity_file_invalid"
    hint = "Enroll the person again from the photos with Enroll Identity and keep the result with Save Identity."


class IdentityAmbiguous(IdentityError):
    """Two identities have the name that was asked for, one uploaded and one saved."""

    code = "identity_ambiguous"
    hint = "Write [output] behind the name for the saved one, [input] for the uploaded one, or rename one of the files."


class PortraitError(LikenessError):
    """A portrait step cannot be done."""


class ShapeMismatch(PortraitError):
    """An image, mask or background does not have the size or the number that the others have."""

    code = "shape_mismatch"
    hint = "Take the picture and its mask from the same nodes, and resize, crop or repeat both together."


class MatteMissing(PortraitError):
    """A step needs the person's matte and none was connected."""

    code = "matte_missing"
    hint = "Connect the mask of Matte Person or Refine Matte, or choose to protect the face only."


class EngineUnsuitable(PortraitError):
    """A model that changes faces needs the embeddings of another face engine than the one connected."""

    code = "engine_unsuitable"
    hint = "Connect Load Face Engine set to insightface with the pack buffalo_l, or turn the node off."


class SwapModelUnsuitable(PortraitError):
    """The ONNX file does not have the inputs, the output and the table of a face swapping model."""

    code = "swap_model_unsuitable"
    hint = "Use insightface's inswapper_128.onnx; other swapping models need other code."


class BadColour(PortraitError):
    """A colour could not be read; write it as #rrggbb."""

    code = "bad_colour"
    hint = "Put quotes around #rrggbb in a shell, where # begins a comment, or use a name such as navy."


class PromptingError(LikenessError):
    """A prompt cannot be written from what was chosen."""


class PresetInvalid(PromptingError):
    """A preset file is not TOML, or a preset in it misses a wording or has a wrong type."""

    code = "preset_invalid"
    hint = "Correct the line or key that the message names, or move the file out of the presets folder."


class PresetUnknown(PromptingError):
    """A workflow asks for a preset that neither the pack nor the presets folder has."""

    code = "preset_unknown"
    hint = "Choose another one from the node's list, or copy the missing preset file from where the workflow is from."


class NameUnusable(PromptingError):
    """Nothing is left of the name for the scheme that should make a token of it."""

    code = "name_unusable"
    hint = "Give a name with Latin letters, or choose the scheme 'rare vocabulary entry', which takes any name."


class TrainingError(LikenessError):
    """A network cannot be trained."""


class TrainingDataTooSmall(TrainingError):
    """A folder to train on does not exist, or has too few photos that can be read."""

    code = "training_data_too_small"
    hint = "Give a folder with at least two photos, better a few hundred; folders inside it are read too."


class TrainingStateInvalid(TrainingError):
    """The file of a training is missing, damaged, of another kind, or was made with other settings."""

    code = "training_state_invalid"
    hint = "Give the same options as at the start together with --resume, or start anew without --resume."


class DatasetUnreadable(TrainingError):
    """A data set's folder or table has no photo that can be used, or cells that do not belong together."""

    code = "dataset_unreadable"
    hint = "Say what the data set is by --kind, and where its photos are by --photos."


class ManifestInvalid(TrainingError):
    """A data set's manifest cannot be read, or is not the one that was written."""

    code = "manifest_invalid"
    hint = "Make it anew by `likeness dataset make`."


class TrainingDiverged(TrainingError):
    """The loss of a training became infinite or no number."""

    code = "training_diverged"
    hint = "Train again with a lower --rate; what was saved before is kept and can be gone on with by --resume."


class CompareError(LikenessError):
    """Pictures or settings cannot be compared as asked."""


class BadNumbers(CompareError):
    """The values to be tried are missing, too many, or not all numbers."""

    code = "bad_numbers"
    hint = "Write numbers with a decimal point, separated by commas, such as 0.1, 0.3, 0.5."


class NothingToCompare(CompareError):
    """A comparison was given an empty list of pictures."""

    code = "nothing_to_compare"
    hint = "Take the pictures from before the gate: a gate that nothing passes gives an empty list."


class LabelsMismatch(CompareError):
    """The number of labels is neither that of the pictures nor that of the batches they come in."""

    code = "labels_mismatch"
    hint = "Take the labels from the Try Strengths node whose values made the pictures, or leave them out."
