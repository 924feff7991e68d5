"""The node classes of the pack, listed once, in the order of the Add Node menu."""

from __future__ import annotations

from ..core.node_facts import NodeFacts
from .schema import ComfyExtension, io


def node_classes() -> list[type[io.ComfyNode]]:
    """Every node of the pack."""
    from .backdrop import ComposePortrait, StudioBackdrop
    from .compare import CompareLikeness, StartMeasuring, StopMeasuring, TryStrengths
    from .describe import DescribePhoto
    from .face import ProtectFace, RestoreFace, SwapFace
    from .id_photo import CheckIDPhoto, CheckSelfie, MakeIDPhoto
    from .identity import EnrollIdentity, LoadFaceEngine, LoadIdentity, LoadPhotos, SaveIdentity
    from .likeness import CheckLikeness, GateByLikeness, KeepBest
    from .lora import InspectLora, LoadLoraStack, MergeLoras
    from .portrait import FrameHeadshot, MattePerson, RefineMatte
    from .print_sheet import PrintSheet
    from .prompting import KeepTraits, ProfessionalPrompt, SubjectToken
    from .provenance import SaveWithProvenance
    from .retouch import RetouchPhoto

    return [
        LoadFaceEngine,
        LoadPhotos,
        EnrollIdentity,
        CheckLikeness,
        KeepBest,
        GateByLikeness,
        SaveIdentity,
        LoadIdentity,
        MattePerson,
        RefineMatte,
        RetouchPhoto,
        FrameHeadshot,
        StudioBackdrop,
        ComposePortrait,
        ProtectFace,
        RestoreFace,
        SwapFace,
        MakeIDPhoto,
        CheckIDPhoto,
        CheckSelfie,
        PrintSheet,
        DescribePhoto,
        KeepTraits,
        ProfessionalPrompt,
        SubjectToken,
        LoadLoraStack,
        InspectLora,
        MergeLoras,
        TryStrengths,
        StartMeasuring,
        StopMeasuring,
        CompareLikeness,
        SaveWithProvenance,
    ]


def node_facts() -> dict[str, NodeFacts]:
    """What each node of the pack says of itself, by its id."""
    return {node.GET_SCHEMA().node_id: vars(node)["FACTS"] for node in node_classes()}


class LikenessExtension(ComfyExtension):
    """What ComfyUI asks for the pack's nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Every node of the pack."""
        return node_classes()
