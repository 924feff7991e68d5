"""`likeness headshot --retouch`: the photo is retouched before it is cut out, the person stays that of the photo."""

import pytest

from likeness_studio.runner.errors import Misuse
from likeness_studio.runner.workflow.headshot_graph import HeadshotChoices, headshot_workflow, retouches_named


def test_the_photo_is_retouched_for_all_but_the_person():
    workflow = headshot_workflow(HeadshotChoices(retouch=("exposure", "red-eye")))
    node = workflow.find("Retouch")
    assert node.inputs["exposure"] == 1.0
    assert node.inputs["red_eye"] is True
    assert node.inputs["shine"] == 0.0
    users = {each.title for each in workflow if [node.id, 0] in list(each.inputs.values())}
    assert users == {"Matte Person", "Refine Matte", "Frame"}
    assert workflow.find("Person").inputs["photos"] == [workflow.find("Photo").id, 0]


def test_without_it_there_is_no_such_step():
    assert all(each.class_type != "LikenessRetouchPhoto" for each in headshot_workflow(HeadshotChoices()))


def test_names_are_read_and_wrong_ones_refused():
    assert retouches_named(" Exposure, red_eye,exposure ") == ("exposure", "red-eye")
    assert retouches_named("") == ()
    with pytest.raises(Misuse, match="teeth"):
        retouches_named("teeth")
