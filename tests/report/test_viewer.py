"""The page scrolls in a browser, holds the right voxels, and needs nothing from outside."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import zlib

import numpy as np
import pytest
from saliency_helpers import fusion_model

from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection import saliency
from prrt_estimators.report import write_viewer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    model, X, _ = fusion_model()
    X = X[:3]
    X.ids[1] = "</script><script>document.title='broken'</script>"
    with pytest.warns(ExplanationWarning):
        maps = saliency(model, X, auroc_interval=(0.4, 0.62))
    path = write_viewer(maps, tmp_path_factory.mktemp("viewer") / "maps.html", X=X, voxels=16, title="Maps & scans")
    return maps, X, path


def data_of(path):
    text = path.read_text("utf-8")
    [found] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.S)
    return json.loads(found)


def voxels(entry, name):
    raw = zlib.decompress(base64.b64decode(entry["arrays"][name]))
    return np.frombuffer(raw, dtype=np.uint8).reshape(entry["shape"])


def test_page_names_no_address_and_forbids_all(page):
    text = page[2].read_text("utf-8")
    assert not re.search(r"https?:|ftp:|//[a-z0-9-]+\.|\burl\(|@import|\bsrc=|\bhref=|\bfetch\(|XMLHttpRequest", text)
    assert "default-src 'none'" in text
    assert 'name="viewport"' in text
    assert "<title>Maps &amp; scans</title>" in text


def test_texts_cannot_end_the_data(page):
    text = page[2].read_text("utf-8")
    assert text.count("</script>") == 2
    assert data_of(page[2])["patients"][1]["patient"].startswith("</script>")


def test_page_holds_the_voxels(page):
    maps, X, path = page
    entry = data_of(path)["patients"][0]
    assert entry["shape"] == [16, 16, 16]
    assert entry["spacing"] == 8.0
    window = entry["windows"]["ct"]
    ct = window["low"] + voxels(entry, "scan_ct") / 255 * (window["high"] - window["low"])
    np.testing.assert_allclose(ct, np.clip(X["ct"].array[0, 0], -160, 240), atol=1)
    scale = entry["maps"]["pet"]["scale"]
    shown = (voxels(entry, "map_pet").astype(int) - 128) / 127 * scale
    np.testing.assert_allclose(shown, np.clip(maps["pet"][0, 0], -scale, scale), atol=scale / 127)
    assert entry["masks"] == ["lesion", "kidneys"]
    np.testing.assert_array_equal(voxels(entry, "masks") & 1, X.masks["lesion"].array[0, 0])
    np.testing.assert_array_equal(voxels(entry, "masks") >> 1, X.masks["kidneys"].array[0, 0])
    assert "includes 0.5" in entry["caution"]


def test_same_maps_give_the_same_page(page, tmp_path):
    maps, X, path = page
    again = write_viewer(maps, tmp_path / "again.html", X=X, voxels=16, title="Maps & scans")
    assert again.read_bytes() == path.read_bytes()
    assert len(data_of(write_viewer(maps, tmp_path / "one.html", patients=["P02"], voxels=16))["patients"]) == 1
    with pytest.raises(ValueError, match="`patients` is empty"):
        write_viewer(maps, tmp_path / "none.html", patients=[])


def opened(path, folder, place):
    """Return the page as a browser shows it, as text."""
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --virtual-time-budget=5000 --dump-dom"
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={folder}", f"file://{path}#{place}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    assert 'data-ready="yes"' in done.stdout
    return done.stdout


def where(dom):
    [text] = re.findall(r'<output id="where"[^>]*>(.*?)</output>', dom, flags=re.S)
    return text


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_page_scrolls_in_a_browser(page, tmp_path):
    _, X, path = page
    dom = opened(path, tmp_path / "a", "patient=0&plane=axial&slice=12&background=ct&map=ct")
    assert where(dom).startswith("slice 12 of 16 (axial)")
    assert "z 88 mm" in where(dom)
    assert 'id="caution" class="caution">The AUROC interval' in dom
    assert "document.title='broken'" not in re.findall(r"<title>(.*?)</title>", dom)[0]
    scrolled = opened(path, tmp_path / "b", "patient=2&plane=coronal&slice=5&wheel=3&keys=ArrowUp,PageUp,ArrowDown")
    assert where(scrolled).startswith("slice 13 of 16 (coronal)")
    assert "Patient P02" in scrolled
    found = re.search(r"x (\d+), y (\d+), z (\d+) mm · PET (?:≥ )?([\d.]+) SUV", where(scrolled))
    x, y, z = (round(int(value) / 8) for value in found.groups()[:3])
    assert float(found[4]) == pytest.approx(X["pet"].array[2, 0, x, y, z], abs=0.05)
