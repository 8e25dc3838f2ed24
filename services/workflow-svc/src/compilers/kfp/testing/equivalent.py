"""Three pipelines written with the KFP SDK by hand; sdk.integration.test.ts compiles the same three from our definitions.

Prints {name: graph} as JSON: a graph is what graph.py makes of a PipelineSpec.
"""

import json
import sys
import tempfile

import yaml
from graph import graph
from kfp import compiler, dsl

IMAGE = sys.argv[1]
RUNNER = ["/bin/node-runner"]
MANIFEST = ["--manifest", "/mnt/my_vol/manifest.yaml"]


def arguments(kind, inputs=(), outputs=()):
    found = ["--type", kind, *MANIFEST]
    for name, value in inputs:
        found += ["--input", f"{name}={value}"]
    for name, value in outputs:
        found += ["--output", f"{name}={value}"]
    return found


@dsl.container_component
def n_prep(run_date: str, rows: dsl.OutputPath(float)):
    return dsl.ContainerSpec(
        image=IMAGE, command=RUNNER, args=arguments("python", [("run_date", run_date)], [("rows", rows)])
    )


@dsl.container_component
def n_train(lr: float, n_prep__rows: float):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=RUNNER,
        args=arguments("general-training", [("lr", lr), ("n_prep__rows", n_prep__rows)]),
    )


@dsl.container_component
def n_left():
    return dsl.ContainerSpec(image=IMAGE, command=RUNNER, args=arguments("noop"))


@dsl.container_component
def n_right():
    return dsl.ContainerSpec(image=IMAGE, command=RUNNER, args=arguments("noop"))


@dsl.container_component
def n_join(lr: float, n_prep__rows: float):
    return dsl.ContainerSpec(
        image=IMAGE, command=RUNNER, args=arguments("noop", [("lr", lr), ("n_prep__rows", n_prep__rows)])
    )


@dsl.container_component
def n_shard(item: str):
    return dsl.ContainerSpec(image=IMAGE, command=RUNNER, args=arguments("python", [("item", item)]))


@dsl.container_component
def n_notify():
    return dsl.ContainerSpec(image=IMAGE, command=RUNNER, args=arguments("http"))


@dsl.pipeline(name="chain")
def chain(lr: float = 0.1, run_date: str = ""):
    prep = n_prep(run_date=run_date).set_caching_options(False)
    train = n_train(lr=lr, n_prep__rows=prep.outputs["rows"]).set_caching_options(False)
    train.after(prep)
    train.set_retry(num_retries=2, backoff_duration="30s", backoff_factor=2, backoff_max_duration="600s")


@dsl.pipeline(name="diamond")
def diamond(lr: float = 0.1, run_date: str = ""):
    prep = n_prep(run_date=run_date).set_caching_options(False)
    left = n_left().set_caching_options(False).after(prep)
    right = n_right().set_caching_options(False).after(prep)
    with dsl.If(prep.outputs["rows"] > 100.0):
        n_join(lr=lr, n_prep__rows=prep.outputs["rows"]).set_caching_options(False).after(left, right)


@dsl.pipeline(name="shards")
def shards():
    notify = n_notify().set_caching_options(False)
    with dsl.ExitHandler(notify):
        with dsl.ParallelFor(items=["a", "b", "c"], parallelism=2) as item:
            n_shard(item=item).set_caching_options(False)


graphs = {}
for pipeline in (chain, diamond, shards):
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        compiler.Compiler().compile(pipeline, file.name)
        with open(file.name, encoding="utf-8") as text:
            graphs[pipeline.name] = graph(next(yaml.safe_load_all(text)))
print(json.dumps(graphs))
