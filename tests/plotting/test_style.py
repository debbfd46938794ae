import itertools
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from prrt_estimators.plotting import OKABE_ITO, RocDisplay, model_label, save_figure, style_context
from prrt_estimators.plotting._style import line_style


def draw():
    return RocDisplay.from_predictions([0, 1, 1, 0], {"lab": [0.1, 0.6, 0.7, 0.65]}, title="a").figure_


def test_files_are_the_same_bytes_each_time_and_hold_no_date(tmp_path):
    first = save_figure(draw(), tmp_path / "one" / "roc")
    second = save_figure(draw(), tmp_path / "two" / "roc")
    assert [path.name for path in first] == ["roc.png", "roc.svg"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    svg = first[1].read_text()
    ET.fromstring(svg)
    assert "<dc:date>" not in svg
    assert "Matplotlib v" not in svg


def test_a_stem_with_a_point_keeps_it_and_dpi_sets_the_size(tmp_path):
    (small,) = save_figure(draw(), tmp_path / "km_0.5", formats=["png"], dpi=50)
    (large,) = save_figure(draw(), tmp_path / "km_0.75", formats=["png"])
    assert (small.name, large.name) == ("km_0.5.png", "km_0.75.png")
    with Image.open(small) as one, Image.open(large) as two:
        assert np.array(two.size) == pytest.approx(4 * np.array(one.size), rel=0.05)


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    (path,) = save_figure(draw(), tmp_path / "roc", formats=["svg"])
    before = path.read_bytes()

    def fail(self, target, **kwargs):
        target.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(draw(), tmp_path / "roc", formats=["svg"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_format_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="got bmpx"):
        save_figure(draw(), tmp_path / "roc", formats=["png", "bmpx"])
    assert list(tmp_path.iterdir()) == []


def test_style_does_not_depend_on_the_readers_settings(tmp_path):
    (plain,) = save_figure(draw(), tmp_path / "plain", formats=["svg"])
    with mpl.rc_context({"axes.facecolor": "black", "text.color": "white", "font.size": 30, "axes.grid": True}):
        (spoilt,) = save_figure(draw(), tmp_path / "spoilt", formats=["svg"])
    assert spoilt.read_bytes() == plain.read_bytes()


def test_style_ends_with_its_block():
    before = mpl.rcParams["svg.hashsalt"]
    with style_context():
        assert mpl.rcParams["svg.hashsalt"] == "prrt-estimators"
    assert mpl.rcParams["svg.hashsalt"] == before


def test_twenty_one_curves_look_different():
    styles = {tuple(line_style(k).items()) for k in range(21)}
    assert len(styles) == 21


def test_colours_stand_out_on_paper_and_from_each_other():
    def luminance(colour):
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for name, colour in OKABE_ITO.items():
        assert 1.05 / (luminance(colour) + 0.05) > 2, name
    for one, other in itertools.combinations(OKABE_ITO.values(), 2):
        assert np.linalg.norm(np.subtract(to_rgb(one), to_rgb(other))) > 0.25


def test_labels():
    assert model_label("pet_ct_lab_pretrained") == "PET + CT + labs (pretrained CT)"
    assert model_label("somebody's model") == "somebody's model"


@pytest.mark.parametrize("before", [False, True])
def test_a_backend_that_is_loaded_within_the_style_stays_interactive(before):
    with mpl.rc_context():
        mpl.interactive(before)
        with style_context():
            mpl.interactive(not before)  # what the backend of a notebook does when the first figure loads it
        assert mpl.is_interactive() is not before


def test_an_error_within_the_style_leaves_the_settings_as_they_were():
    size = mpl.rcParams["font.size"]
    with mpl.rc_context({"font.size": 20}):
        with pytest.raises(KeyError), style_context():
            raise KeyError
        assert mpl.rcParams["font.size"] == 20
    assert mpl.rcParams["font.size"] == size
