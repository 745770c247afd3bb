"""npy and npz files of numpy."""

import io
import zipfile

import graft
import numpy
import pytest
import torch
import values

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
SHAPES = [(), (0,), (1,), (5,), (2, 3), (3, 0, 2), (2, 3, 4), (1, 2, 1, 2, 1, 2, 1, 2)]


def made(shape, dtype, order="C"):
    """Every bit of every element is drawn, but for bools."""
    random = numpy.random.default_rng(0)
    dtype = numpy.dtype(dtype)
    count = int(numpy.prod(shape, dtype=int))
    data = random.integers(0, 2 if dtype == bool else 256, count * dtype.itemsize, dtype="u1")
    return numpy.asarray(numpy.frombuffer(data.tobytes(), dtype).reshape(shape), order=order)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays(g, tmp_path, dtype, endian, order):
    for shape in SHAPES:
        array = made(shape, endian + dtype, order)
        numpy.save(tmp_path / "a.npy", array)
        for mapped in (True, False):
            c = values.load(g, tmp_path / "a.npy", map=mapped)
            assert (c.format, c.bare, list(c.root)) == ("npy", True, [""])
            values.assert_array(c.root[""], array)
            if array.size > 0 and order == "F" and array.ndim > 1:
                assert c.root[""].flags.f_contiguous


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions(g, tmp_path, version):
    array = made((3, 4), "f4")
    with open(tmp_path / "a.npy", "wb") as file:
        numpy.lib.format.write_array(file, array, version)
    c = values.load(g, tmp_path / "a.npy")
    values.assert_array(c.root[""], array)
    assert c.metadata == {"version": "%d.%d" % version}


@pytest.mark.parametrize("array, fault", [
    (numpy.array([{}], object), "Unsupported"),
    (numpy.zeros(2, [("a", "f4")]), "Unsupported"),
    (numpy.array(["a"]), "Dtype"),
    (numpy.array([b"a"]), "Dtype"),
    (numpy.zeros(2, "V2"), "Dtype"),
    (numpy.zeros(2, "M8[s]"), "Dtype"),
    (numpy.zeros(2, "longdouble"), "Dtype"),
])
def test_refused(g, tmp_path, array, fault):
    numpy.save(tmp_path / "a.npy", array)
    with pytest.raises(graft.GraftError, match=rf"a\.npy: byte \d+: descr '|a structured.*\({fault}\)"):
        g.checkpoint_open(tmp_path / "a.npy", None)


def test_a_file_that_numpy_reads_is_read(g, tmp_path):
    """Headers that others write: what numpy makes of them, graft does too."""
    array = made((2, 3), "f4")
    for header in ["{'descr':'<f4','fortran_order':False,'shape':(2,3)}",
                   '{"shape": (2, 3), "descr": "<f4", "fortran_order": False, }',
                   "{'descr': 'f4', 'fortran_order': False, 'shape': (2L, 3L), }",
                   "{ 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 , ) }  "]:
        data = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode()
        data += array.tobytes()
        values.assert_array(numpy.load(io.BytesIO(data)), array)
        (tmp_path / "a.npy").write_bytes(data)
        values.assert_array(values.load(g, tmp_path / "a.npy").root[""], array)


# ---- npz ----

ARRAYS = {"a": made((2, 3), "<f4"), "b.weight": made((5,), "<i8"), "scalar": made((), "<f8"),
          "empty": made((0, 3), "<f2"), "swapped": made((3, 2), ">c16"),
          "fortran": made((3, 4), ">i4", "F"), "folder/name": made((7,), "?"), "ü": made((1,), "u1")}


@pytest.mark.parametrize("verify", ["USE", "OPEN", "NEVER"])
@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed])
def test_archives(g, tmp_path, save, verify):
    save(tmp_path / "a.npz", **ARRAYS)
    for mapped in (True, False):
        c = values.load(g, tmp_path / "a.npz", map=mapped,
                        verify=getattr(graft.lib, f"GRAFT_VERIFY_{verify}"))
        assert (c.format, c.bare, list(c.root)) == ("npz", False, list(ARRAYS))
        for name, array in ARRAYS.items():
            values.assert_array(c.root[name], array)
        assert c.root["fortran"].flags.f_contiguous


def test_large_compressed_archives(g, tmp_path):
    """Headers are found at the head of data that is deflated in many ways."""
    random = numpy.random.default_rng(3)
    for array in [numpy.zeros(10**6), random.integers(0, 4, 10**6, "u1"), random.random(10**5),
                  numpy.arange(10**5) // 7]:
        numpy.savez_compressed(tmp_path / "a.npz", array)
        values.assert_array(values.load(g, tmp_path / "a.npz").root["arr_0"], array)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_levels(g, tmp_path, level):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=level) as z:
        for name, array in ARRAYS.items():
            with z.open(name + ".npy", "w") as file:
                numpy.lib.format.write_array(file, array)
    c = values.load(g, tmp_path / "a.npz")
    for name, array in ARRAYS.items():
        values.assert_array(c.root[name], array)


def test_an_archive_of_nothing(g, tmp_path):
    numpy.savez(tmp_path / "a.npz")
    assert values.load(g, tmp_path / "a.npz") == ({}, {}, "npz", False)


def test_a_member_that_is_no_array(g, tmp_path):
    numpy.savez(tmp_path / "a.npz", a=ARRAYS["a"], pickles=numpy.array([{}], object))
    with pytest.raises(graft.GraftError, match=r"a\.npz: pickles\.npy: byte \d+: descr '\|O'"):
        g.checkpoint_open(tmp_path / "a.npz", None)
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as z:
        z.writestr("a.npy", (tmp_path / "a.npz").read_bytes())
    with pytest.raises(graft.GraftError, match=r"b\.npz: a\.npy: byte 0: no npy file"):
        g.checkpoint_open(tmp_path / "b.npz", None)
    numpy.savez(tmp_path / "a.npz", a=ARRAYS["a"])
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as z:
        z.writestr("note.txt", "hello")
    with pytest.raises(graft.GraftError, match=r"a member 'note\.txt': expected names that end"):
        g.checkpoint_open(tmp_path / "a.npz", None)


@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed])
def test_a_flipped_bit_is_found(g, tmp_path, save):
    """Whether it is in the header or in the elements."""
    save(tmp_path / "a.npz", a=numpy.arange(100.0))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "a.npz") as z:
        info = z.infolist()[0]
    begin = info.header_offset + 30 + int.from_bytes(data[26:28], "little") + int.from_bytes(
        data[28:30], "little")
    for at in range(begin, begin + info.compress_size, 7):
        data[at] ^= 4
        (tmp_path / "b.npz").write_bytes(data)
        with pytest.raises(graft.GraftError, match=r"b\.npz: a\.npy: "):
            values.load(g, tmp_path / "b.npz")
        data[at] ^= 4


# ---- Writing ----

def resaved(g, source, target):
    c = g.checkpoint_open(source, None)
    g.save(target, graft.lib.graft_checkpoint_root(c))
    graft.lib.graft_checkpoint_free(c)


def numpy_bytes(array):
    out = io.BytesIO()
    numpy.lib.format.write_array(out, array)
    return out.getvalue()


def test_what_is_written_is_what_numpy_writes(g, tmp_path):
    """Members to the byte, all dtypes that numpy has, C order, aligned data."""
    arrays = {f"{dtype[1:]}.{i}": made(shape, dtype, "CF"[i % 2])
              for dtype in ["<" + name for name in DTYPES] + [">f4"]
              for i, shape in enumerate(SHAPES + [(10**9, 0), (0,) * 8])}
    numpy.savez_compressed(tmp_path / "a.npz", **arrays)
    resaved(g, tmp_path / "a.npz", tmp_path / "b.npz")
    resaved(g, tmp_path / "b.npz", tmp_path / "c.npz")
    assert (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()
    with numpy.load(tmp_path / "b.npz") as loaded:
        assert list(loaded) == list(arrays)
        for name, array in arrays.items():
            values.assert_array(loaded[name], array)
    data = (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "b.npz") as z:
        assert z.testzip() is None
        for info in z.infolist():
            array = arrays[info.filename.removesuffix(".npy")]
            native = numpy.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            member = z.read(info)
            assert member == numpy_bytes(native.reshape(array.shape))
            assert data.find(member[:64], info.header_offset) % 64 == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", "CF")
def test_one_array_alone_is_what_numpy_writes(g, tmp_path, dtype, order):
    for shape in SHAPES:
        array = made(shape, "<" + dtype, order)
        numpy.save(tmp_path / "a.npy", array)
        resaved(g, tmp_path / "a.npy", tmp_path / "b.npy")
        native = numpy.ascontiguousarray(array).reshape(array.shape)
        assert (tmp_path / "b.npy").read_bytes() == numpy_bytes(native)


def test_nested_dicts(g, tmp_path):
    with g.scope():
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
        root = g.dict_new()
        inside = g.dict_new()
        for name, tensor in model.state_dict().items():
            g.dict_set_tensor(inside, name, tensor)
        g.dict_set_dict(root, "model", inside)
        g.dict_set_tensor(root, "turned", torch.arange(12.0).reshape(3, 4).t())
        g.save(tmp_path / "a.npz", root)
        g.dict_free(inside)
        g.dict_free(root)
    with numpy.load(tmp_path / "a.npz") as loaded:
        assert list(loaded) == [f"model.{name}" for name in model.state_dict()] + ["turned"]
        for name, tensor in model.state_dict().items():
            values.assert_array(loaded[f"model.{name}"], tensor.numpy())
        values.assert_array(loaded["turned"], numpy.arange(12, dtype="f4").reshape(3, 4).T)


def test_dtypes_that_numpy_lacks(g, tmp_path):
    with g.scope():
        root = g.dict_new()
        g.dict_set_tensor(root, "half", torch.zeros(2, dtype=torch.bfloat16))
        with pytest.raises(graft.GraftError, match=r"a\.npz: half: numpy has no bfloat16"):
            g.save(tmp_path / "a.npz", root)
        g.dict_free(root)
    assert list(tmp_path.iterdir()) == []
