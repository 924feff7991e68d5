"""BLIP, Florence-2 and chat models of transformers as captioners. Imported only when one is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import jinja2
import torch
import transformers
from safetensors import SafetensorError

from .. import host
from ..errors import CaptionerUnusable, DependencyMissing

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 1344
"""Pixels on the longer side of the picture that a model is given: some chat models make a token of every 28 x 28, and
a photo of 24 million pixels would fill a GPU's memory."""

MOST_TOKENS = 160
"""A caption ends here at the latest."""

LOCAL = {"local_files_only": True, "trust_remote_code": False}
"""Given to every from_pretrained: nothing is fetched and no code from the folder is run."""

BEGINNINGS = ("", "the person is wearing", "the background is")
"""What BLIP goes on from: nothing, then the two subjects that its own captions leave out most often."""

QUESTIONS = {
    "what is the person wearing?": "the person is wearing a {}",
    "is the person wearing glasses?": "{}",
    "what color is the person's hair?": "{} hair",
    "is the person smiling?": "{}",
    "what is in the background?": "in the background there is {}",
}
"""What a BLIP for questions is asked, and the sentence that its short answer becomes."""

YES_NO = {
    "is the person wearing glasses?": {"yes": "the person is wearing glasses", "no": "the person wears no glasses"},
    "is the person smiling?": {"yes": "the person is smiling"},
}

_FAILURES = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError, jinja2.TemplateError,
)  # fmt: skip
"""What transformers raises when the files of a folder are no model, or do not belong together."""

FLORENCE_TASK = "<MORE_DETAILED_CAPTION>"

REQUEST = (
    "Describe this portrait in a few plain sentences: clothes, glasses, hair, facial hair, head covering, expression, "
    "and background. Do not mention gender, age or ethnicity."
)
"""What a chat model is asked."""


class Captioner(Protocol):
    """A loaded model that says sentences about a picture."""

    name: str
    steps: int

    def sentences(self, picture: Image, step: Callable[[], None]) -> list[str]:
        """What it says of an RGB picture; `step` is called after each of `steps` questions."""
        ...


def load(name: str, path: Path, config: dict[str, Any], device: torch.device) -> Captioner:
    """The captioner for a model folder whose weights have been checked.

    Raises CaptionerUnusable when transformers cannot make a captioning model of it, and DependencyMissing.
    """
    kind, architectures = config["model_type"], config.get("architectures") or []
    try:
        if kind == "blip":
            if "BlipForQuestionAnswering" in architectures:
                return BlipAnswers(name, path, transformers.BlipForQuestionAnswering, device)
            return BlipCaptions(name, path, transformers.BlipForConditionalGeneration, device)
        if kind == "florence2":
            return Florence2(name, path, _class("Florence2ForConditionalGeneration"), device)
        return Chat(name, path, _class("AutoModelForImageTextToText"), device)
    except ImportError as error:
        raise DependencyMissing(f"The captioning model {name!r} needs a package that is missing: {error}") from error
    except torch.OutOfMemoryError:
        raise
    except _FAILURES as error:
        raise CaptionerUnusable(
            f"The folder {host.shown(path)} cannot be loaded as a captioning model of the kind {kind!r} "
            f"({_first_line(error)}); get the transformers version of the model, complete, from its publisher."
        ) from error


def _class(name: str) -> Any:
    found = getattr(transformers, name, None)
    if found is None:
        raise DependencyMissing(
            f"transformers {transformers.__version__} has no {name}; run `pip install --upgrade transformers`."
        )
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own progress bars, which would be drawn over ours."""
    shown = transformers.logging.is_progress_bar_enabled()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers.logging.enable_progress_bar()


class _Stop(transformers.StoppingCriteria):
    """Asks after every token whether the user pressed stop; never ends a caption itself."""

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        host.check_interrupted()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class _Model:
    """Weights and processor; on the device only while it speaks, so that a generator has the memory otherwise."""

    steps = 1

    def __init__(self, name: str, path: Path, model_class: Any, device: torch.device) -> None:
        self.name = name
        self._device = device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        with _quiet():
            self._processor: Any = transformers.AutoProcessor.from_pretrained(path, **LOCAL)
            self._model, info = model_class.from_pretrained(
                path, use_safetensors=True, dtype=self._dtype, output_loading_info=True, **LOCAL
            )
        missing = sorted(info["missing_keys"])
        if missing:
            raise ValueError(f"{len(missing)} weights such as {missing[0]} are not in the file")
        self._model.eval()

    def sentences(self, picture: Image, step: Callable[[], None]) -> list[str]:
        """Everything that the model says of an RGB picture. Raises CaptionerUnusable when it cannot take pictures."""
        picture = picture.copy()
        picture.thumbnail((LARGEST, LARGEST))
        try:
            self._model.to(self._device)
            with torch.no_grad():
                return [sentence for sentence in self._said(picture, step) if sentence]
        except torch.OutOfMemoryError:
            raise
        except _FAILURES as error:
            raise CaptionerUnusable(
                f"The captioning model {self.name!r} failed on a picture ({_first_line(error)}); "
                "check that all its files are of one version, or choose another model."
            ) from error
        finally:
            self._model.to("cpu")

    def _said(self, picture: Image, step: Callable[[], None]) -> list[str]:
        raise TypeError(f"{type(self).__name__} has no way to ask.")

    def _generate(self, inputs: Any) -> torch.Tensor:
        moved = {
            name: value.to(self._device, self._dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        stopping = transformers.StoppingCriteriaList([_Stop()])
        return self._model.generate(**moved, max_new_tokens=MOST_TOKENS, do_sample=False, stopping_criteria=stopping)

    def _text(self, tokens: torch.Tensor) -> str:
        return " ".join(self._processor.tokenizer.decode(tokens, skip_special_tokens=True).split())


class BlipCaptions(_Model):
    """BLIP for captions (Li et al. 2022): once freely, then going on from each of the BEGINNINGS."""

    steps = len(BEGINNINGS)

    def _said(self, picture: Image, step: Callable[[], None]) -> list[str]:
        said = []
        for beginning in BEGINNINGS:
            words = {"text": beginning} if beginning else {}
            inputs = self._processor(images=picture, return_tensors="pt", **words)
            said.append(self._text(self._generate(inputs)[0]))
            step()
        return said


class BlipAnswers(_Model):
    """BLIP for questions (Li et al. 2022): its short answers, as sentences."""

    steps = len(QUESTIONS)

    def _said(self, picture: Image, step: Callable[[], None]) -> list[str]:
        said = []
        for question, sentence in QUESTIONS.items():
            inputs = self._processor(images=picture, text=question, return_tensors="pt")
            answer = self._text(self._generate(inputs)[0])
            said.append(YES_NO[question].get(answer, "") if question in YES_NO else sentence.format(answer))
            step()
        return said


class Florence2(_Model):
    """Florence-2 (Xiao et al. 2023): its most detailed caption."""

    def _said(self, picture: Image, step: Callable[[], None]) -> list[str]:
        inputs = self._processor(images=picture, text=FLORENCE_TASK, return_tensors="pt")
        said = self._text(self._generate(inputs)[0])
        step()
        return [said]


class Chat(_Model):
    """Any image-text-to-text model of transformers that has a chat template, such as SmolVLM, LLaVA or Qwen-VL."""

    def __init__(self, name: str, path: Path, model_class: Any, device: torch.device) -> None:
        super().__init__(name, path, model_class, device)
        if not getattr(self._processor, "chat_template", None):
            raise ValueError("it has no chat template, and it is neither BLIP nor Florence-2")

    def _said(self, picture: Image, step: Callable[[], None]) -> list[str]:
        content = [{"type": "image", "image": picture}, {"type": "text", "text": REQUEST}]
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        said = self._text(self._generate(inputs)[0, inputs["input_ids"].shape[1] :])
        step()
        return [said]
