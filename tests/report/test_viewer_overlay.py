"""PET on CT in the viewer: the script of the page draws what it should, run with stand-ins for a browser's parts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from prrt_estimators.inspection import SaliencyMaps
from prrt_estimators.report import write_viewer

NODE = shutil.which("node") or shutil.which("nodejs")
SHAPE = (8, 7, 6)
#: Elements, canvases and images as far as the page uses them; what is painted on small canvases is kept.
BROWSER = """
const painted = {};
class Element {
  constructor() { this.value = ""; this.checked = false; this.style = {}; this.dataset = {}; this.children = []; this.options = [];
    this.classList = { toggle() {} }; this.parentElement = this; }
  closest() { return this; } append(...more) { this.children.push(...more); } addEventListener() {} dispatchEvent() {}
  replaceChildren(...more) { this.children = more; this.options = more; }
  getContext() { return new Proxy({}, { get: (it, name) => it[name] ?? (() => {}), set: (it, name, value) => { it[name] = value; return true; } }); }
}
const elements = { data: { textContent: process.argv[2] } };
globalThis.document = { getElementById: (id) => (elements[id] ??= new Element()), createElement: () => new Element(),
  addEventListener() {}, body: new Element() };
globalThis.window = { addEventListener() {} };
globalThis.location = { hash: process.argv[3] };
globalThis.Option = class { constructor(text, value) { this.text = text; this.value = value; } };
globalThis.ImageData = class { constructor(width, height) { this.data = new Uint8ClampedArray(4 * width * height); } };
let last = null;
globalThis.OffscreenCanvas = class { getContext() { return { putImageData(image) { last = image; } }; } };
for (const [id, value] of Object.entries({ opacity: 90, threshold: 10, upper: 100 })) document.getElementById(id).value = value;
"""
ANSWER = """
start().then(() => {
  paint("axial");
  const options = byId("background").options.map((one) => one.value);
  console.log(JSON.stringify({ options, pixels: Array.from(last.data), background: state.background,
    legend: byId("legend").children.length }));
});
"""


def shown(path, place):
    """Return what the page paints in the axial plane."""
    text = path.read_text("utf-8")
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.S)
    script = re.findall(r"<script>(.*?)</script>", text, flags=re.S)[0].replace("\nstart();\n", ANSWER)
    command = [NODE, "-", data.replace("\\u003c", "<"), place]
    done = subprocess.run(
        command, input=BROWSER + script, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def maps(tmp_path, names=("pet", "ct")):
    pet = np.zeros(SHAPE)
    pet[2, 3, 1] = 10.0
    ct = np.full(SHAPE, 40.0)
    ct[:, 0] = -1000.0
    scans = {"pet": pet, "ct": ct}
    values = np.zeros((1, 1, *SHAPE))
    values[0, 0, 2, 3, 1] = 1.0
    return SaliencyMaps(
        {name: values.astype(np.float32) for name in names},
        volumes={name: scans[name][None, None].astype(np.float32) for name in names},
        affines={name: np.eye(4)[None] for name in names},
        ids=np.array(["P1"], dtype=object),
        probability=np.array([0.4]),
        method="gradient",
        target="logit",
    )


@pytest.mark.skipif(NODE is None, reason="there is no Node.js here")
def test_uptake_lies_over_density(tmp_path):
    path = write_viewer(maps(tmp_path), tmp_path / "maps.html", voxels=8)
    found = shown(path, "#plane=axial&slice=2&background=fused&map=none")
    assert found["options"] == ["pet", "ct", "fused"]
    assert found["background"] == "fused"
    assert found["legend"] == 1
    colours = np.array(found["pixels"]).reshape(SHAPE[1], SHAPE[0], 4)[::-1, ::-1, :3].transpose(1, 0, 2)
    density = np.array(shown(path, "#plane=axial&slice=2&background=ct&map=none")["pixels"])
    density = density.reshape(SHAPE[1], SHAPE[0], 4)[::-1, ::-1, :3].transpose(1, 0, 2)
    hot = np.zeros(SHAPE[:2], bool)
    hot[2, 3] = True
    # Where nothing is taken up the CT is seen as it is; where most is, it is seven parts white of ten.
    assert (colours[~hot] == density[~hot]).all()
    assert density[0, 0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(colours[2, 3], 0.7 * 255 + 0.3 * density[2, 3], atol=1)


@pytest.mark.skipif(NODE is None, reason="there is no Node.js here")
def test_one_scan_alone_has_no_overlay(tmp_path):
    path = write_viewer(maps(tmp_path, ["pet"]), tmp_path / "maps.html", voxels=8)
    assert shown(path, "#background=fused")["options"] == ["pet"]
