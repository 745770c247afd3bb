"""ONNX files: those of ONNX's own tests, and those that PyTorch writes."""

import pathlib

import numpy
import onnx
import onnx.numpy_helper
import pytest
import torch
import values

DATA = pathlib.Path("/usr/share/libonnx-testdata/data")
MODELS = sorted(DATA.rglob("*.onnx"))


def tensors_of(graph, prefix=""):
    """(prefix, name, value) of a graph's own tensors, then of those of graphs inside."""
    for tensor in graph.initializer:
        yield prefix, tensor.name, tensor
    for sparse in graph.sparse_initializer:
        yield prefix, sparse.values.name, sparse
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            for attribute in node.attribute:
                yield prefix, node.output[0], onnx.helper.get_attribute_value(attribute)
    for node in graph.node:
        for attribute in node.attribute:
            name = node.name or node.output[0]
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from tensors_of(attribute.g, f"{prefix}{name}.{attribute.name}.")
            for i, inside in enumerate(attribute.graphs):
                yield from tensors_of(inside, f"{prefix}{name}.{attribute.name}.{i}.")


def expected(model):
    want = {}
    for prefix, name, value in tensors_of(model.graph):
        want[name if name not in want else prefix + name] = value
    return want


def assert_value(got, want):
    if isinstance(want, onnx.SparseTensorProto):
        assert list(got) == ["values", "indices", "dims"]
        assert_value(got["values"], want.values)
        assert_value(got["indices"], want.indices)
        assert got["dims"] == list(want.dims)
    elif isinstance(want, onnx.TensorProto):
        if want.data_type == onnx.TensorProto.STRING:
            assert got == list(want.string_data)
        else:
            values.assert_array(got, onnx.numpy_helper.to_array(want))
    elif isinstance(want, bytes) or isinstance(want, list) and want and isinstance(want[0], bytes):
        assert got == want
    else:
        whole = isinstance(want, int) or isinstance(want, list) and all(
            isinstance(item, int) for item in want)
        values.assert_array(got, numpy.array(want, "i8" if whole else "f4"))


def check(g, path, model):
    c = values.load(g, path)
    assert c.format == "onnx"
    want = expected(model)
    assert sorted(c.root) == sorted(want)
    for name, value in want.items():
        assert_value(c.root[name], value)
    assert c.metadata["ir_version"] == model.ir_version
    assert c.metadata.get("producer_name", "") == model.producer_name
    assert c.metadata.get("opset_import", {}) == {
        opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    return len(want)


def test_models_of_onnx(g):
    """Each is read, and every tensor is what the reference reads."""
    assert len(MODELS) > 1000
    count = 0
    for path in MODELS:
        with g.scope():
            count += check(g, path, onnx.load(path))
    assert count > 300


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.fc = torch.nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def exported(path, model, x, **options):
    torch.manual_seed(0)
    torch.onnx.export(model, x, path, **options)
    return path


@pytest.mark.parametrize("model, shape", [
    (torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)), (2, 6)),
    (Net(), (1, 3, 8, 8)),
])
def test_models_of_pytorch(g, tmp_path, model, shape):
    """The parameters by their names in the state dict."""
    path = exported(tmp_path / "a.onnx", model.eval(), torch.zeros(shape),
                    training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    check(g, path, onnx.load(path))
    root = values.load(g, path).root
    found = 0
    for name, tensor in model.state_dict().items():
        if name in root:
            values.assert_array(root[name], tensor.numpy())
            found += 1
    assert found >= len(list(model.parameters()))


def test_external_data(g, tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Linear(64, 8))
    path = exported(tmp_path / "a.onnx", model, torch.zeros(2, 64))
    whole = values.load(g, path).root
    onnx.save(onnx.load(path), str(tmp_path / "b.onnx"), save_as_external_data=True,
              location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").stat().st_size > 64 * 64 * 4
    parts = values.load(g, tmp_path / "b.onnx").root
    assert list(parts) == list(whole)
    for name, array in whole.items():
        values.assert_array(parts[name], array)


@pytest.mark.parametrize("name", [
    "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "BOOL", "FLOAT16", "DOUBLE",
    "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"])
@pytest.mark.parametrize("raw", [False, True])
def test_types(g, tmp_path, name, raw):
    kind = getattr(onnx.TensorProto, name)
    dtype = onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[kind]
    array = numpy.array([[0, 1, 2], [100, 120, 127]]).astype(dtype)
    flat = [item.item() for item in array.flatten()]
    tensor = onnx.helper.make_tensor("t", kind, array.shape,
                                     array.tobytes() if raw else flat, raw)
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "a.onnx")
    values.assert_array(values.load(g, tmp_path / "a.onnx").root["t"], array)
