"""Choose a model's convolutions for int8, and their scales: `python -m benchmarks.choose_int8 --photos folder`.

Each convolution with at least a hundredth of the work is tried alone, on the calibration photographs and those of the
folder, with each way of equalising its data; the better one stays. Then they are added, the cheapest error for their
work first, while all together stay within the budget. The choice goes into `services/inference/int8.json`, by the model
file's SHA-256; preparing the model checks it with bf16 as well, and with the engine itself. Report figures on other
photographs than those of the choice.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
from PIL import Image

from bootstrap.settings import load_settings
from services.inference.calibration import calibration_photos, measure, model_input
from services.inference.catalogue import CATALOGUE, digest
from services.inference.differences import difference, plain_masks
from services.inference.graph import Floats, Graph, Statistics
from services.inference.int8 import KNOWN, Scale, candidates, equalised, quantise
from services.inference.record import Difference

LEAST_WORK = 0.01
# How much of a channel's excess goes into its weights.
SHARES = (0.5, 0.75)
# The part of the largest value that is not clipped: less costs single photographs dearly, more costs all of them.
UNCLIPPED = 0.85
# What all together may cost, the other convolutions being f32: bf16 needs the rest of what a record allows.
MEAN_BUDGET, WORST_BUDGET = 0.0012, 0.0032

Feeds = list[dict[str, Floats]]


class Trial:
    """A recentred model, and its masks in f32 beside those with some convolutions in int8."""

    def __init__(self, model: Any, feeds: Feeds) -> None:
        self.model, self.feeds = model, feeds
        inputs = {node.input[0]: None for node in model.graph.node if node.op_type == "Conv"}
        inputs.pop(model.graph.input[0].name)
        self.statistics: dict[str, Statistics] = measure(model, feeds, list(inputs))
        self.exact = plain_masks(model.SerializeToString(), feeds)
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        self.inputs, self.kernels = ({node.output[0]: node.input[at] for node in convolutions} for at in (0, 1))

    def cost(self, scales: dict[str, Scale]) -> Difference:
        """Return what these convolutions in int8 cost, the others being f32."""
        data = quantise(self.model, scales, self.statistics).SerializeToString()
        return difference(self.exact, plain_masks(data, self.feeds))

    def scales(self, output: str) -> list[Scale]:
        """Return the scales to try."""
        weights = Graph(self.model).array(self.kernels[output])
        return [equalised(self.statistics[self.inputs[output]].most, weights, share, UNCLIPPED) for share in SHARES]

    def work(self) -> dict[str, float]:
        """Return each convolution's part of all multiplications. Processors compute outputs in blocks of 16."""
        graph = Graph(self.model)
        found = {}
        for node in self.model.graph.node:
            if node.op_type == "Conv" and node.input[0] in self.statistics:
                size = self.statistics[node.input[0]]
                outputs, *others = graph.weights[node.input[1]].dims
                found[node.output[0]] = math.ceil(outputs / 16) * math.prod(others) * size.height * size.width
        return {output: work / sum(found.values()) for output, work in found.items()}


def choose(trial: Trial) -> dict[str, Scale]:
    """Return the chosen outputs with their scales, and print what each costs."""
    work = trial.work()
    tried: dict[str, tuple[Difference, Scale]] = {}
    for output in candidates(trial.model, trial.statistics):
        if work[output] >= LEAST_WORK:
            costs = [(trial.cost({output: scale}), scale) for scale in trial.scales(output)]
            tried[output] = min(costs, key=lambda found: found[0].worst)
            print(f"{output}: {work[output]:.3f} of the work, {tried[output][0]}", flush=True)
    chosen: dict[str, Scale] = {}
    for output in sorted(tried, key=lambda name: tried[name][0].worst / work[name]):
        wider = {**chosen, output: tried[output][1]}
        cost = trial.cost(wider)
        fits = cost.mean <= MEAN_BUDGET and cost.worst <= WORST_BUDGET
        print(f"{'with' if fits else 'without'} {output}: {cost}", flush=True)
        chosen = wider if fits else chosen
    print(f"{len(chosen)} convolutions, {sum(work[output] for output in chosen):.2f} of the work")
    return chosen


def photographs(folder: Path | None) -> Sequence[Image.Image]:
    more = sorted(folder.iterdir()) if folder else []
    return [*calibration_photos(), *(Image.open(path).convert("RGB") for path in more)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="u2netp", choices=sorted(CATALOGUE))
    parser.add_argument("--photos", type=Path)
    asked = parser.parse_args()
    folder, spec = load_settings().rembg_session_path, CATALOGUE[asked.model]
    model = onnx.load(str(spec.prepared_path(folder)))
    feeds = [model_input(spec, spec.path(folder), photo) for photo in photographs(asked.photos)]
    known = json.loads(KNOWN.read_text())
    chosen = choose(Trial(model, feeds))
    known[digest(spec.path(folder))] = {output: asdict(scale) for output, scale in chosen.items()}
    KNOWN.write_text(text(known))


def text(known: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the JSON, a line for each convolution."""
    models = []
    for model, scales in known.items():
        lines = ",\n".join(f"  {json.dumps(output)}: {json.dumps(scale)}" for output, scale in scales.items())
        models.append(f" {json.dumps(model)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(models) + "\n}\n"


if __name__ == "__main__":
    main()
