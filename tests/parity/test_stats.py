"""Numbers on tensors and hashes of them, beside numpy in float64 and hashlib."""

import hashlib

import numpy
import pytest
import torch

from graft import Context, GraftError, ffi, lib

SIZES = [(), (0,), (1,), (7,), (1024,), (1025,), (300, 700), (3, 1, 50, 1000), (1200000,)]
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
          torch.int8, torch.uint8, torch.bool]


def values(shape, dtype, kind, rng):
    if kind == "shifted":
        x = rng.normal(1000, 0.5, shape)
    elif kind == "heavy":
        x = rng.standard_t(1, shape)
    else:
        x = rng.normal(0, 3, shape)
    t = torch.from_numpy(numpy.array(x))
    t = t.clamp(-100, 100).to(dtype) if not dtype.is_floating_point else t.to(dtype)
    if kind == "special" and dtype.is_floating_point and t.numel() > 5:
        flat = t.flatten()
        flat[1::7] = float("nan")
        flat[2::9] = float("inf")
        flat[3::11] = -float("inf")
        flat[4::5] = 0
        t = flat.reshape(t.shape)
    return t


def stats_of(g, tensor):
    d = g.dict_new()
    g.dict_set_tensor(d, "x", tensor)
    out = ffi.new("graft_tensor_stats *")
    g.dict_stats(d, 0, out)
    return out


def check(out, t):
    x = t.double().numpy().ravel()
    finite = x[numpy.isfinite(x)]
    assert out.elements == x.size
    assert out.zeros == (x == 0).sum()
    assert out.nans == numpy.isnan(x).sum()
    assert out.infinities == numpy.isinf(x).sum()
    if finite.size == 0:
        assert numpy.isnan([out.min, out.max, out.mean, out.std]).all() and out.norm == 0
        return
    exact = finite.astype(numpy.longdouble)
    assert out.min == finite.min() and out.max == finite.max()
    scale = float(numpy.abs(exact).mean())
    assert abs(out.mean - float(exact.mean())) <= 1e-12 * scale
    assert abs(out.std - float(exact.std())) <= 1e-12 * float(exact.std())
    norm = float(numpy.sqrt((exact * exact).sum()))
    assert abs(out.norm - norm) <= 1e-12 * norm
    counts = list(out.histogram)
    if finite.min() == finite.max():
        assert counts == [finite.size] + [0] * 63
    else:
        assert counts == numpy.histogram(finite, 64, (finite.min(), finite.max()))[0].tolist()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["normal", "shifted", "heavy", "special"])
def test_stats(dtype, kind):
    rng = numpy.random.default_rng(5)
    with Context() as g:
        for shape in SIZES:
            t = values(shape, dtype, kind, rng)
            check(stats_of(g, t), t)


def test_stats_of_views():
    rng = numpy.random.default_rng(6)
    t = values((400, 600), torch.float32, "special", rng)
    with Context() as g:
        whole = g.dict_new()
        g.dict_set_tensor(whole, "x", t)
        x = g.dict_tensor(whole, "x")
        check(stats_of(g, g.narrow(x, 1, 17, 300)), t[:, 17:317])
        check(stats_of(g, g.transpose(x, 0, 1)), t.t())


def test_hash():
    rng = numpy.random.default_rng(7)
    with Context() as g:
        for shape in SIZES:
            t = values(shape, torch.float32, "special", rng)
            d = g.dict_new()
            g.dict_set_tensor(d, "x", t)
            text = ffi.new("char[65]")
            try:
                g.tensor_hash(d, 0, text)
            except GraftError as e:
                assert "nettle" in str(e)
                pytest.skip("built without nettle")
            assert ffi.string(text).decode() == hashlib.sha256(t.numpy().tobytes()).hexdigest()
