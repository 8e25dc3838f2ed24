"""The graph of a PipelineSpec, whoever wrote it: leaf tasks with where their values come from.

The SDK wraps a conditioned or looped task in a DAG of its own and passes values through renamed inputs; here every task
is told by its own key, and every input by its source: `params.x`, `task.output`, `item`, or a constant.
"""

import re

INPUT = re.compile(r"inputs\.parameter_values\['([^']+)'\]")


def source(binding, around):
    if "componentInputParameter" in binding:
        return around.get(binding["componentInputParameter"], binding["componentInputParameter"])
    if "taskOutputParameter" in binding:
        output = binding["taskOutputParameter"]
        return f"{output['producerTask']}.{output['outputParameterKey']}"
    return {"constant": binding["runtimeValue"]["constant"]}


def leaves(spec, dag, around, outer, found):
    for key, task in dag["tasks"].items():
        component = spec["components"][task["componentRef"]["name"]]
        inputs = {
            name: source(binding, around) for name, binding in task.get("inputs", {}).get("parameters", {}).items()
        }
        producers = [
            each.rsplit(".", 1)[0]
            for each in inputs.values()
            if isinstance(each, str) and each.rsplit(".", 1)[0] in dag["tasks"]
        ]
        after = set(task.get("dependentTasks", [])) | set(producers) | outer["after"]
        conditions = list(outer["conditions"])
        trigger = task.get("triggerPolicy", {})
        if "condition" in trigger:
            text = INPUT.sub(lambda match: str(inputs[match[1]]), trigger["condition"])
            conditions.append(re.sub(r"\s|\(|\)", "", text))
        loop = outer["loop"]
        if "parameterIterator" in task:
            iterator = task["parameterIterator"]
            items = iterator["items"]
            loop = {
                "items": items["raw"].replace(" ", "") if "raw" in items else inputs[items["inputParameter"]],
                "parallelism": task.get("iteratorPolicy", {}).get("parallelismLimit"),
            }
            inputs[iterator["itemInput"]] = "item"
        if "dag" in component:
            inside = {"after": after, "conditions": conditions, "loop": loop}
            leaves(spec, component["dag"], inputs, inside, found)
            continue
        container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        retry = task.get("retryPolicy")
        found[key.removesuffix("-item")] = {
            "after": sorted(after),
            "inputs": inputs,
            "types": {
                name: each["parameterType"]
                for name, each in component.get("inputDefinitions", {}).get("parameters", {}).items()
            },
            "outputs": {
                name: each["parameterType"]
                for name, each in component.get("outputDefinitions", {}).get("parameters", {}).items()
            },
            "container": {name: container.get(name, []) for name in ("image", "command", "args")},
            "conditions": conditions,
            "loop": loop,
            "retry": None
            if retry is None
            else {"max": retry["maxRetryCount"], "backoff": retry["backoffDuration"], "factor": retry["backoffFactor"]},
            "exit": trigger.get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED",
        }


def graph(spec):
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    found = {}
    outer = {"after": set(), "conditions": [], "loop": None}
    leaves(spec, spec["root"]["dag"], {name: f"params.{name}" for name in parameters}, outer, found)
    return {
        "parameters": {name: each["parameterType"] for name, each in sorted(parameters.items())},
        "tasks": {name: found[name] for name in sorted(found)},
    }
