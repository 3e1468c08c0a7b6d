import pytest

from meas_deblend.exceptions import ConfigError, PipelineError
from meas_deblend.framework import (
    build_pipeline,
    find_pipeline,
    layer_from_assignment,
    layer_from_file,
    load_pipeline,
    read_definition,
    shipped_pipelines,
    tuning_fields,
)
from meas_deblend.shipped import shipped_folder

HEAD = "description: A chain.\ntasks:\n"


def definition_of(write, tasks):
    return read_definition(write("some.yaml", HEAD + tasks))


def test_definition_holds_what_the_file_says(chain):
    definition = read_definition(chain)
    assert definition.name == "chain"
    assert definition.description == "Find, fit, measure."
    assert list(definition.tasks) == ["measure", "fit", "detect"]
    assert definition.tasks["fit"].class_path == "toy_tasks.FitTask"
    assert str(definition.tasks["fit"].origin) == f"{chain}, line 4"
    assert definition.subsets["early"].labels == ("detect", "fit")
    assert definition.file == str(chain)


def test_tasks_run_after_those_that_make_their_inputs(chain):
    pipeline = load_pipeline(chain)
    assert pipeline.labels == ("detect", "fit", "measure")
    assert pipeline.inputs == ("image", "prior")


def test_tasks_that_do_not_wait_keep_the_order_of_the_file(toys, write):
    tasks = "".join(
        f"  {label}: {{class: toy_tasks.DetectTask, config: {{connections.peaks: p_{label}, "
        f"connections.background: b_{label}}}}}\n"
        for label in ("zeta", "alpha", "mu")
    )
    assert build_pipeline(definition_of(write, tasks)).labels == ("zeta", "alpha", "mu")


def test_connections_are_renamed_by_the_definition(toys, write):
    tasks = (
        "  detect: {class: toy_tasks.DetectTask, config: {connections: {peaks: bright, image: coadd}}}\n"
        "  fit: {class: toy_tasks.FitTask, config: {connections.peaks: bright}}\n"
    )
    pipeline = build_pipeline(definition_of(write, tasks))
    assert [item.dataset for item in pipeline.task("fit").inputs] == ["bright", "prior"]
    assert pipeline.inputs == ("coadd", "prior")


def test_layers_lie_in_their_order(toys, write, tmp_path):
    write("sky/fit.yaml", "fit: {max_iter: 10}\ndeblender.name: none\nlow: -7\nhigh: 7\n")
    definition = definition_of(write, "  fit: {class: toy_tasks.FitTask, config: {deblender.name: single}}\n")
    first = layer_from_file(write("first.yaml", "fit: {fit.max_iter: 20, fit.e_rel: 0.1, low: -5}\n"))
    second = layer_from_file(write("second.yaml", "fit: {fit.max_iter: 30, low: -4}\n"))
    last = layer_from_assignment("fit:fit.max_iter=40")
    pipeline = build_pipeline(definition, survey=tmp_path / "sky", layers=[first, second, last])
    config = pipeline.task("fit").resolved.config
    assert (config.fit.max_iter, config.fit.e_rel, config.low, config.high) == (40, 0.1, -4, 7)
    assert config.deblender.name == "single"
    found = [(item.value, item.origin.layer) for item in pipeline.task("fit").resolved.history("deblender.name")]
    assert found == [("multi", "class defaults"), ("none", "survey"), ("single", "pipeline definition")]
    assert [item.value for item in pipeline.task("fit").resolved.history("fit.max_iter")] == [100, 10, 20, 30, 40]


def test_settings_for_no_label_are_refused(chain, write):
    layer = layer_from_file(write("over.yaml", "detct: {threshold: 3}\n"))
    with pytest.raises(ConfigError, match="there is no task labelled 'detct'; did you mean 'detect'"):
        load_pipeline(chain, layers=[layer])


def test_survey_may_know_labels_of_this_pipeline_only(chain, write, tmp_path):
    write("sky/other.yaml", "a: 1\n")
    with pytest.raises(ConfigError, match=r"no pipeline has a task labelled 'other'.*Labels: .*detect"):
        load_pipeline(chain, survey=tmp_path / "sky")


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ("{connections.peaks: x, deblender.name: single}", ()),
        ("{connections: {peaks: x}, deblender: {name: none}}", ()),
        ("{fit: {max_iter: 5}}", ("fit:fit.max_iter",)),
        ("{deblender.multi.max_iter: 5, low: 3}", ("fit:deblender.multi.max_iter", "fit:low")),
        ("{name: x}", ("fit:name",)),
        ("{file: other.py}", ("fit:file",)),
    ],
)
def test_a_definition_wires_and_never_tunes(toys, write, block, found):
    definition = definition_of(write, f"  fit: {{class: toy_tasks.FitTask, config: {block}}}\n")
    assert tuning_fields(definition) == found
    if found:
        with pytest.raises(PipelineError, match=rf"registry choices .* only, but this one sets {', '.join(found)};"):
            build_pipeline(definition)
    else:
        build_pipeline(definition)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: {}\n", "a pipeline definition needs a description and tasks"),
        (
            "description: x\ntaks: {}\n",
            r"line 2: .* has the unknown key 'taks'; did you mean 'tasks'",
        ),
        (HEAD + "  multiBand: a.B\n", r"line 3: the label 'multiBand' is not snake_case"),
        (HEAD + "  fit: {config: {}}\n", r"line 3: task 'fit' has no class"),
        (HEAD + "  fit: {class: a.B, conifg: {}}\n", "task 'fit' has the unknown key 'conifg'; did you mean 'config'"),
        (HEAD + "  fit: {class: a.B, config: 5}\n", "the config of 'fit' must be a mapping"),
        (HEAD + "  fit: 5\n", "the class of 'fit' must be text"),
        ("description: x\ntasks: [a]\n", "line 2: tasks must be a mapping, not"),
        ("- a\n", "line 1: a pipeline definition must be a mapping"),
        ("description: 5\ntasks: {}\n", "line 1: description must be text"),
        (
            HEAD + "  fit: a.B\nsubsets: {x: {subset: [fti]}}\n",
            "'x' has 'fti', which is no label; did you mean 'fit'",
        ),
        (HEAD + "  fit: a.B\nsubsets: {x: {subset: fit}}\n", "subset 'x' needs a list of labels"),
        ("description: [\n", "line 2: not valid settings"),
    ],
)
def test_what_is_no_definition(write, text, message):
    with pytest.raises(PipelineError, match=message):
        read_definition(write("some.yaml", text))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("FitTask", r"line 3: task 'fit': class FitTask: a dotted path, package\.module\.Class, is needed"),
        ("no_such_module.FitTask", "the module 'no_such_module' cannot be imported: No module named"),
        ("toy_tasks.FitTsk", "the module 'toy_tasks' has no 'FitTsk'; did you mean 'FitTask'"),
        ("toy_tasks.FitConfig", "class toy_tasks.FitConfig: this is not a PipelineTask"),
        ("toy_tasks.PATCH", "this is not a PipelineTask"),
    ],
)
def test_classes_that_cannot_be_loaded(toys, write, path, message):
    with pytest.raises(PipelineError, match=message):
        build_pipeline(definition_of(write, f"  fit: {path}\n"))


def test_two_producers_of_a_dataset(toys, write):
    tasks = "  one: toy_tasks.DetectTask\n  two: toy_tasks.DetectTask\n"
    with pytest.raises(
        PipelineError, match=r"'peaks' has two producers: 'one' \(output 'peaks'\) and 'two' \(output 'peaks'\)"
    ):
        build_pipeline(definition_of(write, tasks))


def test_a_cycle_is_spelled_out(toys, write):
    tasks = (
        "  detect: toy_tasks.DetectTask\n"
        "  one: {class: toy_tasks.FitTask, config: {connections: {peaks: b, models: a}}}\n"
        "  two: {class: toy_tasks.FitTask, config: {connections: {peaks: a, models: b}}}\n"
        "  late: {class: toy_tasks.MeasureTask, config: {connections: {models: a}}}\n"
    )
    with pytest.raises(PipelineError) as caught:
        build_pipeline(definition_of(write, tasks))
    assert str(caught.value) == (
        "the tasks wait for each other: 'one' needs 'b' from 'two', 'two' needs 'a' from 'one'"
    )


def test_types_of_a_dataset_must_agree(toys, write):
    tasks = "  fit: {class: toy_tasks.FitTask, config: {connections.models: prior}}\n"
    tasks += "  again: {class: toy_tasks.FitTask, config: {connections.models: m}}\n"
    with pytest.raises(PipelineError) as caught:
        build_pipeline(definition_of(write, tasks))
    # Both take the optional prior, which is now what the first makes.
    assert "makes the dataset 'prior' as list, but 'fit' takes it as float (input 'prior')" in str(caught.value)


def test_part_of_a_pipeline(chain):
    pipeline = load_pipeline(chain)
    assert pipeline.only(["early"]).labels == ("detect", "fit")
    assert pipeline.only(["measure"]).inputs == ("models",)
    assert pipeline.only(["measure", "early"]).labels == pipeline.labels
    with pytest.raises(PipelineError, match=r"'erly' is neither a label nor a subset .* did you mean 'early'"):
        pipeline.only(["erly"])


def test_unknown_label_of_a_pipeline(chain):
    with pytest.raises(PipelineError, match="'chain' has no task labelled 'fi'; did you mean 'fit'"):
        load_pipeline(chain).task("fi")


def test_pipelines_are_found_by_name_or_path(chain, tmp_path):
    assert find_pipeline(str(chain)) == chain
    with pytest.raises(PipelineError, match=r"none\.yaml: there is no such pipeline definition"):
        find_pipeline(tmp_path / "none.yaml")
    with pytest.raises(PipelineError, match=r"no pipeline 'no_such_one'.*Pipelines: .*a file is given by"):
        find_pipeline("no_such_one")


def test_shipped_pipelines_are_those_of_the_folder():
    files = [entry.name for entry in shipped_folder("pipelines").iterdir() if entry.name.endswith(".yaml")]
    assert shipped_pipelines() == tuple(sorted(name.removesuffix(".yaml") for name in files))
    for name in shipped_pipelines():
        assert find_pipeline(name).name == f"{name}.yaml"
