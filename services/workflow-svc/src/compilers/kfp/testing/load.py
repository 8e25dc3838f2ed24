"""Reads KFP pipelines (files named on the command line) with the real SDK and prints their graphs, or what is wrong."""

import json
import pathlib
import sys

import yaml
from graph import graph
from kfp import components

graphs = {}
for name in sys.argv[1:]:
    text = pathlib.Path(name).read_text(encoding="utf-8")
    component = components.load_component_from_text(text)
    documents = list(yaml.safe_load_all(text))
    assert len(documents) == 2 and "platforms" in documents[1], "a PipelineSpec and a PlatformSpec"
    # The SDK's own protobufs: unknown keys and wrong types are refused here.
    assert component.pipeline_spec.root.HasField("dag")
    assert component.platform_spec.platforms["kubernetes"], "the PlatformSpec was read"
    graphs[pathlib.Path(name).stem] = graph(documents[0])
print(json.dumps(graphs))
