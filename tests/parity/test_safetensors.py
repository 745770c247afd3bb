"""safetensors beside a reader and a writer in Python, and graft's JSON beside Python's."""

import json
import random

import graft
import numpy
import pytest
import safetensors_file as st
import values
from graft import lib

SHAPES = [(), (0,), (4,), (4, 3), (3, 0, 2), (2, 3, 4), (1, 2, 1, 2, 1, 2, 1, 2)]


def elements(dtype, shape, seed=0):
    """Every bit is drawn, but for bools; None if they are no whole bytes."""
    bits = st.DTYPES[dtype][0] * int(numpy.prod(shape, dtype=int))
    if bits % 8:
        return None
    drawn = numpy.random.default_rng(seed).integers(0, 2 if dtype == "BOOL" else 256, bits // 8)
    return drawn.astype("u1").tobytes()


def all_dtypes():
    tensors = {}
    for dtype in st.DTYPES:
        for shape in SHAPES:
            data = elements(dtype, shape)
            if data is not None:
                tensors[f"{dtype}.{len(tensors)}.é"] = dtype, shape, data
    return tensors


def assert_tensor(got, dtype, shape, data):
    if isinstance(got, values.Carried):
        assert got == (st.DTYPES[dtype][1], shape, data)
    else:
        assert (got.dtype.name, got.shape, got.tobytes()) == (st.DTYPES[dtype][1], shape, data)


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("verify", ["USE", "OPEN", "NEVER"])
def test_all_dtypes(g, tmp_path, mapped, verify):
    tensors = all_dtypes()
    assert {dtype for dtype, _, _ in tensors.values()} == set(st.DTYPES)
    path = tmp_path / "a.safetensors"
    path.write_bytes(st.dump(tensors, {"format": "pt", "é": "\n\0\U0001F600"}))
    c = values.load(g, path, map=mapped, verify=getattr(lib, f"GRAFT_VERIFY_{verify}"))
    assert (c.format, c.bare) == ("safetensors", False)
    assert c.metadata == {"format": "pt", "é": "\n\0\U0001F600"}
    assert list(c.root) == list(st.load(path.read_bytes())[0])
    for name, tensor in tensors.items():
        assert_tensor(c.root[name], *tensor)


def test_hashes(g, tmp_path):
    """hashlib's hashes in __metadata__ are accepted, and any other is not."""
    tensors = all_dtypes()
    everything, each = st.hashes(tensors)
    path = tmp_path / "a.safetensors"

    def load(everything, each, verify):
        path.write_bytes(st.dump(tensors, {"graft.sha256": everything,
                                           "graft.sha256.tensors": each}))
        return values.load(g, path, verify=getattr(lib, f"GRAFT_VERIFY_{verify}"))

    for verify in ("USE", "OPEN", "NEVER"):
        assert len(load(everything, each, verify).root) == len(tensors)
    wrong = "0" + each[1:] if each[0] != "0" else "1" + each[1:]
    for verify in ("USE", "OPEN"):
        for pair in [(everything, wrong), (each[:64], each), (everything, each[:-64]),
                     (everything.upper(), each), ("", "")]:
            with pytest.raises(graft.GraftError, match=r"\(Checksum\)"):
                load(*pair, verify)
    assert len(load(everything, wrong, "NEVER").root) == len(tensors)


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_a_set_of_shards(g, tmp_path, shards):
    tensors = all_dtypes()
    names = list(tensors)
    random.Random(shards).shuffle(names)
    files = {f"model-{i + 1:05}-of-{shards:05}.safetensors": names[i::shards]
             for i in range(shards)}
    for file, part in files.items():
        (tmp_path / file).write_bytes(st.dump({n: tensors[n] for n in part}, {"format": "pt"}))
    where = {n: file for file, part in files.items() for n in part}
    size = sum(len(data) for _, _, data in tensors.values())
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": size},
                                 "weight_map": {n: where[n] for n in sorted(where)}}, indent=2))
    c = values.load(g, index)
    assert c.format == "safetensors-index"
    assert c.metadata == {"total_size": size, "format": "pt"}
    assert list(c.root) == sorted(names)
    for name, tensor in tensors.items():
        assert_tensor(c.root[name], *tensor)


# ---- JSON ----

def is_strict(text):
    """What Python makes of JSON, less what RFC 8259 and UTF-8 forbid and Python allows."""

    def refuse(word):
        raise ValueError(word)

    def pairs(items):
        for key, _ in items:
            key.encode()
        return dict(items)

    def check(value):
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, (list, dict)):
            for item in value.values() if isinstance(value, dict) else value:
                check(item)

    def depth(text):
        deepest = now = 0
        quoted = escaped = False
        for c in text:
            if quoted:
                quoted = escaped or c != '"'
                escaped = c == "\\" and not escaped
            elif c == '"':
                quoted = True
            elif c in "[{":
                now += 1
                deepest = max(deepest, now)
            elif c in "]}":
                now -= 1
        return deepest

    try:
        text = text.decode()
        check(json.loads(text, parse_constant=refuse, object_pairs_hook=pairs))
        return depth(text) <= 126 and not text.startswith("\ufeff")
    except (ValueError, RecursionError):
        return False


def graft_accepts(g, tmp_path, text):
    """Whether graft takes bytes as a value of JSON: of a key that the format does not know."""
    path = tmp_path / "j.safetensors"
    path.write_bytes(st.wrap(b'{"t":{"x":' + text + b',"dtype":"U8","shape":[],'
                             b'"data_offsets":[0,1]}}') + b"1")
    try:
        lib.graft_checkpoint_free(g.checkpoint_open(path, None))
        return True
    except graft.GraftError as error:
        assert "(InvalidHeader" in str(error)
        return False


WORDS = [b"0", b"-0", b"1", b"-1.5e+3", b"0.25", b"1E9", b"01", b"1.", b".5", b"-", b"+1", b"1e",
         b"1e+", b"0x1", b"NaN", b"Infinity", b"-Infinity", b"true", b"false", b"null", b"True",
         b"nul", b'""', b'"a"', b'"\\u00e9"', b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\ude00"',
         b'"\\ude00\\ud83d"', b'"\\x"', b'"\\u12"', b'"\\/\\b\\f\\n\\r\\t\\"\\\\"', b'"\t"', b'"\0"',
         b'"\x7f"', '"é€\U0001F600"'.encode(), b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"',
         b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"', b"'a'", b"\xef\xbb\xbf1", b"/**/1", b"\x0c1"]


def drawn_json(draw, depth=0):
    kind = draw.random()
    if depth > 3 or kind < 0.5:
        return draw.choice(WORDS)
    items = [drawn_json(draw, depth + 1) for _ in range(draw.randrange(4))]
    space = draw.choice([b"", b" ", b"\n\t ", b"\r"])
    if kind < 0.75:
        return b"[" + space + (b"," + space).join(items) + b"]"
    return b"{" + (b"," + space).join(b'"k%d":' % i + item for i, item in enumerate(items)) + b"}"


def mutated(draw, text):
    text = bytearray(text)
    for _ in range(draw.randrange(1, 3)):
        at = draw.randrange(len(text) + 1)
        kind = draw.randrange(3)
        if kind == 0:
            text.insert(at, draw.choice(b'[]{}",:\\0-e.tn \x80\xc3'))
        elif at < len(text):
            if kind == 1:
                del text[at]
            else:
                text[at] = draw.choice(b'[]{}",:\\u0-e.tn\x00\x1f\x80\xc3')
    return bytes(text)


def test_words(g, tmp_path):
    for word in WORDS:
        assert graft_accepts(g, tmp_path, word) == is_strict(word), word


@pytest.mark.parametrize("depth", [1, 50, 125, 126, 127, 128, 10000])
def test_depth(g, tmp_path, depth):
    for left, right in ((b"[", b"]"), (b'{"a":', b"}")):
        text = left * depth + b"1" + right * depth
        assert graft_accepts(g, tmp_path, text) == (depth <= 126)


def test_drawn_json(g, tmp_path):
    """Accepted is what Python accepts, and what is wrong anywhere is refused."""
    draw, accepted = random.Random(0), 0
    for i in range(4000):
        text = drawn_json(draw)
        if i % 2:
            text = mutated(draw, text)
        want = is_strict(text)
        # What closes the object around it early is not the value's fault.
        if not want and is_strict(b'{"x":' + text + b"}"):
            continue
        assert graft_accepts(g, tmp_path, text) == want, text
        accepted += want
    assert 400 < accepted < 3600


def test_strings(g, tmp_path):
    """The texts of strings, in names, keys and values, are those that Python reads."""
    draw = random.Random(1)
    alphabet = [chr(c) for c in (*range(0x20), 0x22, 0x2F, 0x5C, 0x61, 0x7F, 0xE9, 0x7FF, 0x800,
                                 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF)]
    want = {}
    while len(want) < 500:
        text = "".join(draw.choices(alphabet, k=draw.randrange(12)))
        want.setdefault(text, text[::-1])
    path = tmp_path / "s.safetensors"
    for ascii_only in (True, False):
        header = json.dumps({"__metadata__": want}, ensure_ascii=ascii_only)
        path.write_bytes(st.wrap(header.encode()))
        c = g.checkpoint_open(path, None)
        m = lib.graft_checkpoint_metadata(c)
        assert [values.value(g, m, i) for i in range(lib.graft_dict_len(m))] == list(want.values())
        # A key is read up to its first 0 byte.
        assert [graft.text(lib.graft_dict_key(m, i)) for i in range(lib.graft_dict_len(m))] == [
            key.split("\0")[0] for key in want]
        lib.graft_checkpoint_free(c)


# ---- Writing ----

CODES = {lib.graft_dtype_name(i): i for i in range(lib.GRAFT_DTYPES)}
CODES = {graft.text(name): i for name, i in CODES.items()}


def make_dict(g, tensors):
    d = g.dict_new()
    for name, (dtype, shape, data) in tensors.items():
        t = g.from_data(graft.ffi.from_buffer(data) if data else None, shape,
                        CODES[st.DTYPES[dtype][1]])
        g.dict_set_tensor(d, name, t)
    return d


def save(g, path, tensors, metadata=None, **options):
    """graft_save_as of {name: (dtype, shape, bytes)}; the report."""
    options.setdefault("sync", False)
    report = graft.ffi.new("graft_write_report *")
    d = make_dict(g, tensors)
    m = None
    if metadata is not None:
        m = g.dict_new()
        for key, value in metadata.items():
            g.dict_set_string(m, key, value)
        options["metadata"] = m
    g.save_as(path, d, graft.options("write", **options), report)
    g.dict_free(d)
    g.dict_free(m)
    return report


def test_writes_what_the_reference_writes(g, tmp_path):
    path = tmp_path / "a.safetensors"
    some = all_dtypes()
    some.update({'"\\/\b\f\n\r\t\x01\x1f\x7f': ("U8", (1,), b"1"), "z" * 1000: ("U8", (0,), b"")})
    draw = random.Random(2)
    for metadata in (None, {}, {"format": "pt"}, {"b": "\n", "a": '"\\'}):
        for count in (0, 1, 5, len(some)):
            tensors = dict(draw.sample(sorted(some.items()), count))
            report = save(g, path, tensors, metadata)
            assert path.read_bytes() == st.dump(tensors, metadata)
            assert (report.tensors, report.files) == (count, 1)
            assert report.bytes == path.stat().st_size


def test_writes_hashes(g, tmp_path):
    tensors = all_dtypes()
    path = tmp_path / "a.safetensors"
    save(g, path, tensors, {"format": "pt"}, content_hash=True)
    everything, each = st.hashes(tensors)
    got, metadata = st.load(path.read_bytes())
    assert got == tensors
    assert metadata == {"format": "pt", "graft.sha256": everything, "graft.sha256.tensors": each}
    assert len(values.load(g, path, verify=lib.GRAFT_VERIFY_OPEN).root) == len(tensors)


@pytest.mark.parametrize("limit", [1, 700, 2000, 1 << 40])
@pytest.mark.parametrize("hashed", [False, True])
def test_writes_shards(g, tmp_path, limit, hashed):
    tensors = all_dtypes()
    report = save(g, tmp_path / "m.safetensors", tensors, {"format": "pt"}, max_shard_bytes=limit,
                  content_hash=hashed)
    index = json.loads((tmp_path / "m.safetensors.index.json").read_text())
    files = sorted(p.name for p in tmp_path.glob("*.safetensors"))
    assert report.files == len(files) + 1
    assert report.bytes == sum(p.stat().st_size for p in tmp_path.iterdir())
    assert files == [f"m-{i + 1:05}-of-{len(files):05}.safetensors" for i in range(len(files))]
    assert list(index["weight_map"]) == list(tensors)
    assert index["metadata"]["total_size"] == sum(len(data) for _, _, data in tensors.values())
    assert index["metadata"].get("graft.sha256") == (st.hashes(tensors)[0] if hashed else None)
    found = {}
    for file in files:
        part, metadata = st.load((tmp_path / file).read_bytes())
        assert len(part) == 1 or (tmp_path / file).stat().st_size <= limit
        assert metadata["format"] == "pt"
        assert all(index["weight_map"][name] == file for name in part)
        found.update(part)
    assert found == tensors
    c = values.load(g, tmp_path / "m.safetensors.index.json", verify=lib.GRAFT_VERIFY_OPEN)
    assert list(c.root) == list(tensors)


def test_same_dict_same_bytes(g, tmp_path):
    tensors = all_dtypes()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(g, tmp_path / name / "m.safetensors", tensors, {"format": "pt"}, content_hash=True,
             max_shard_bytes=1000)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "b").iterdir())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
