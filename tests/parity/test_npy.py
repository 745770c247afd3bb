"""npy and npz files of numpy."""

import io

import graft
import numpy
import pytest
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
