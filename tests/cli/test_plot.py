"""graft plot, and the page of graft diff --html, seen by a browser."""

import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ElementTree
import zlib

import pytest
import torch

from cli import graft, on_terminal

CHROMIUM = shutil.which("chromium")


def model(seed=0, layers=4):
    torch.manual_seed(seed)
    state = {"embed.weight": torch.randn(50, 8)}
    for i in range(layers):
        for part in ("q", "k", "v"):
            state[f"layers.{i}.attn.{part}.weight"] = torch.randn(8, 8) * 0.1
        state[f"layers.{i}.norm.weight"] = torch.ones(8)
    return state


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plot")
    torch.save(model(), folder / "a.pt")
    changed = model()
    changed["layers.2.attn.k.weight"] += 0.5
    changed["layers.3.attn.v.weight"] = torch.randn(9, 8)
    del changed["embed.weight"]
    torch.save(changed, folder / "b.pt")
    torch.save(model(seed=5), folder / "c.pt")
    probe = graft("plot", "-o", folder / "probe.svg", folder / "a.pt")
    if "cairo" in probe.stderr:
        assert probe.returncode == 2
        pytest.skip("this build has no cairo")
    return folder


def png(path):
    """Width, height and rows of bytes of an 8-bit RGB file."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, pixels, head = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0]
        head = struct.unpack(">IIBB", body[:10]) if kind == b"IHDR" else head
        pixels += body if kind == b"IDAT" else b""
        at += 12 + length
    return head[0], head[1], zlib.decompress(pixels)


@pytest.mark.parametrize("names, more", [
    (["a.pt"], []), (["a.pt", "b.pt"], []), (["a.pt", "b.pt"], ["--distributions"]),
    (["a.pt", "b.pt", "c.pt"], []), (["a.pt"] * 8, []),
])
def test_svg_and_png(files, tmp_path, names, more):
    paths = [files / name for name in names]
    done = graft("plot", *more, "-o", tmp_path / "x.svg", *paths)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    root = ElementTree.parse(tmp_path / "x.svg").getroot()
    assert root.tag.endswith("svg") and len(list(root.iter())) > 100
    height = float(root.get("height").rstrip("px"))
    assert graft("plot", *more, "-o", tmp_path / "x.png", *paths).returncode == 0
    width, tall, pixels = png(tmp_path / "x.png")
    assert width == 2000 and abs(tall - 2 * height) <= 1 and len(set(pixels)) > 20


def test_the_change_is_where_it_is(files, tmp_path):
    """Two pictures that differ in one tensor alone differ."""
    for name in ("b.pt", "c.pt"):
        assert graft("plot", "-o", tmp_path / f"{name}.svg", files / "a.pt", files / name).returncode == 0
    assert (tmp_path / "b.pt.svg").read_bytes() != (tmp_path / "c.pt.svg").read_bytes()
    again = graft("plot", files / "a.pt", files / "b.pt", text=False)
    assert again.stdout == (tmp_path / "b.pt.svg").read_bytes()


def test_refuses(files, tmp_path):
    done = graft("plot", "-o", tmp_path / "x.svg", files / "missing.pt")
    assert done.returncode == 2 and "missing.pt" in done.stderr and not (tmp_path / "x.svg").exists()
    assert graft("plot", "-o", tmp_path / "x.svg", files / "a.pt").returncode == 0
    done = graft("plot", "-o", tmp_path / "x.svg", files / "a.pt")
    assert done.returncode == 2 and "--force" in done.stderr
    assert graft("plot", "-f", "-o", tmp_path / "x.svg", files / "a.pt").returncode == 0
    done = graft("plot", "-o", "/nowhere/x.svg", files / "a.pt")
    assert done.returncode == 2 and "/nowhere/x.svg" in done.stderr
    assert graft("plot", *[files / "a.pt"] * 9).returncode == 2
    status, said = on_terminal("plot", files / "a.pt")
    assert status == 2 and "terminal" in said
    with open("/dev/full", "w") as full:
        assert graft("plot", files / "a.pt", stdout=full).returncode == 2


def test_odd_tensors(files, tmp_path):
    torch.save({"empty": torch.zeros(0), "scalar": torch.tensor(3.0), "nan": torch.tensor([float("nan")] * 3),
                "int": torch.arange(5), "bool": torch.tensor([True]), "complex": torch.zeros(2, dtype=torch.cfloat),
                "huge": torch.tensor([3e38, -3e38]), "tiny": torch.full((3,), 1e-45), "\x1b[31mred\n<b>": torch.ones(2),
                "x" * 300: torch.ones(2)}, tmp_path / "odd.pt")
    for kind in ("svg", "png"):
        done = graft("plot", "-o", tmp_path / f"odd.{kind}", tmp_path / "odd.pt")
        assert done.returncode == 0, done.stderr
    done = graft("plot", "-o", tmp_path / "two.svg", tmp_path / "odd.pt", files / "a.pt")
    assert done.returncode == 0, done.stderr
    torch.save({}, tmp_path / "none.pt")
    assert graft("plot", "-o", tmp_path / "none.svg", tmp_path / "none.pt").returncode == 0
    torch.save({f"m{i % 7}.layers.{i}.p{i % 50}": torch.ones(2) for i in range(3000)}, tmp_path / "many.pt")
    assert graft("plot", "-o", tmp_path / "many.svg", tmp_path / "many.pt", tmp_path / "many.pt").returncode == 0


def browser(*arguments):
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                           "--virtual-time-budget=2000", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")
def test_page_in_a_browser(files, tmp_path):
    page, shot = tmp_path / "page.html", tmp_path / "page.png"
    done = graft("diff", "--html", page, files / "a.pt", files / "b.pt")
    assert done.returncode == 1, done.stderr
    text = page.read_text()
    assert not re.search(r"(src|href)=[\"'](?!#)", text), "the page needs something beside it"
    # The browser's own tree: every row of the table, the picture's boxes, and where they stand.
    probe = page.with_name("probe.html")
    probe.write_text(text.replace("</body>", """<pre id="probe"></pre><script>
        const svg = document.querySelector("figure svg").getBoundingClientRect();
        document.getElementById("probe").textContent = "PROBE " + JSON.stringify({
            rows: document.querySelectorAll("tbody tr").length,
            width: svg.width, height: svg.height, paths: document.querySelectorAll("figure svg path").length,
            text: document.body.innerText.length, wide: document.documentElement.scrollWidth > innerWidth});
        </script></body>"""))
    dom = browser("--window-size=1200,900", "--dump-dom", probe.as_uri())
    told = re.search(r"PROBE ({.*?})<", dom)
    assert told, dom[-500:]
    import json
    seen = json.loads(told[1])
    assert seen["rows"] >= 3 and seen["width"] > 800 and seen["height"] > 200 and seen["paths"] > 50
    assert not seen["wide"] and seen["text"] > 200
    browser("--window-size=1200,1400", f"--screenshot={shot}", page.as_uri())
    width, height, pixels = png(shot)
    assert (width, height) == (1200, 1400) and len(set(pixels)) > 50


def test_page_of_hostile_names(files, tmp_path):
    torch.save({"<script>alert(1)</script>": torch.ones(2), "a&b": torch.zeros(1)}, tmp_path / "x.pt")
    torch.save({"a&b": torch.ones(1)}, tmp_path / "y.pt")
    assert graft("diff", "--html", tmp_path / "x.html", tmp_path / "x.pt", tmp_path / "y.pt").returncode == 1
    text = (tmp_path / "x.html").read_text()
    assert "<script" not in text and "&lt;script&gt;" in text and "a&amp;b" in text
