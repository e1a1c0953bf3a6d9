"""The networks of the shipped examples as ONNX: ``python -m cmbound.certification.export moons moons.onnx``; extra ``onnx``.

The graph is recorded while the one forward pass of :mod:`cmbound.certification.networks` runs on symbols.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from cmbound.certification.examples import example
from cmbound.certification.networks import KINDS, Network, perceptron, position, preconditioning
from cmbound.checks import checked_kind, checked_name
from cmbound.errors import CmboundError, InputError
from cmbound.files import writing

OPSET = 17
"""Operator set: old enough for every current runtime."""
IR_VERSION = 8
"""Version of the file format that belongs to it."""


class Graph:
    """Nodes and constants so far; also the module of functions the forward pass asks for."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: Any) -> Symbol:
        """The result of an operator; inputs that are no symbols become constants in float32."""
        from onnx import helper

        names = [x.name if isinstance(x, Symbol) else self._constant(x) for x in inputs]
        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [name]))
        return Symbol(self, name)

    def _constant(self, value: Any) -> str:
        from onnx import numpy_helper

        array = np.asarray(value)
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array if array.dtype == np.int64 else array.astype(np.float32), name))
        return name

    def arange(self, count: int) -> Any:
        return np.arange(count, dtype=np.float64)

    def cos(self, x: Symbol) -> Symbol:
        return self.node("Cos", x)

    def tanh(self, x: Symbol) -> Symbol:
        return self.node("Tanh", x)

    def sqrt(self, x: Symbol) -> Symbol:
        return self.node("Sqrt", x)

    def log(self, x: Symbol) -> Symbol:
        return self.node("Log", x)


class Symbol:
    """An array of the graph: arithmetic on it adds a node."""

    __array_ufunc__ = None  # so that array * symbol asks the symbol

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def __add__(self, other: Any) -> Symbol:
        return self.graph.node("Add", self, other)

    def __radd__(self, other: Any) -> Symbol:
        return self.graph.node("Add", other, self)

    def __sub__(self, other: Any) -> Symbol:
        return self.graph.node("Sub", self, other)

    def __mul__(self, other: Any) -> Symbol:
        return self.graph.node("Mul", self, other)

    def __rmul__(self, other: Any) -> Symbol:
        return self.graph.node("Mul", other, self)

    def __truediv__(self, other: Any) -> Symbol:
        return self.graph.node("Div", self, other)

    def __rtruediv__(self, other: Any) -> Symbol:
        return self.graph.node("Div", other, self)

    def __matmul__(self, other: Any) -> Symbol:
        return self.graph.node("MatMul", self, other)


def onnx_model(network: Network) -> Any:
    """A network as an ``onnx.ModelProto`` in float32.

    Its inputs are ``x``, shape (n, d), and ``sigma``, shape (n,) or (1,); its output is ``value``, shape (n, d).

    Raises:
        InputError: ``network`` is no :class:`Network`, or the package onnx is not installed.

    >>> from cmbound.certification.examples import example
    >>> sorted(x.name for x in onnx_model(example("moons").model).graph.input)
    ['sigma', 'x']
    """
    checked_kind("network", network, Network)
    try:
        from onnx import TensorProto, checker, helper
    except ImportError:
        raise InputError("the package onnx is not installed: pip install 'cmbound[onnx]'") from None

    graph: Any = Graph()
    x = Symbol(graph, "x")
    sigma = graph.node("Reshape", Symbol(graph, "sigma"), np.array([-1, 1], dtype=np.int64))
    skip, out, scale = preconditioning(network.kind, sigma, network.sigma_data, network.sigma_min, graph.sqrt)
    place = position(sigma, network.sigma_min, network.sigma_max, graph.log)
    value = skip * x + out * perceptron(network.weights, scale * x, place, graph)
    graph.nodes.append(helper.make_node("Identity", [value.name], ["value"]))
    shapes = {"x": ["n", network.d], "sigma": ["levels"], "value": ["n", network.d]}
    ports = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    whole = helper.make_graph(graph.nodes, network.kind, [ports["x"], ports["sigma"]], [ports["value"]], graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    return model


def write_onnx(name: str, path: str | Path, kind: str = "student") -> None:
    """Write a network of a shipped example to an ONNX file.

    Args:
        name: the example.
        path: the file.
        kind: ``student`` or ``denoiser``.

    Raises:
        UnknownNameError: there is no such example or kind.
        InputError: the package onnx is not installed, or the file cannot be written.
    """
    chosen = example(name)
    network = chosen.model if checked_name("kind", kind, KINDS) == "student" else chosen.denoiser
    content = onnx_model(network).SerializeToString()
    with writing(path) as stream:
        stream.write(content)


def main(arguments: list[str]) -> int:
    """Write an example's student, or its denoiser where a third word says so."""
    if len(arguments) not in (2, 3):
        sys.stderr.write("python -m cmbound.certification.export EXAMPLE FILE.onnx [student|denoiser]\n")
        return 2
    try:
        write_onnx(*arguments)
    except CmboundError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
