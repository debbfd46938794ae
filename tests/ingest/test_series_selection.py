"""Each rule of choice, worked by hand on series without files."""

from __future__ import annotations

import datetime

import pytest

from prrt_estimators.ingest._ct_kinds import ct_kind
from prrt_estimators.ingest._export_records import Person, Series
from prrt_estimators.ingest._foreseeable_problems import places, trouble
from prrt_estimators.ingest._joined_series import other_parts
from prrt_estimators.ingest._kernels import SHARP, SOFT, UNKNOWN, kernel_kind
from prrt_estimators.ingest._series_selection import Wishes, choose, flaws, unusable

PET_STORAGE, CT_STORAGE = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.2"
DAY = datetime.datetime(2020, 5, 4, 10)


def series(modality="PT", *, start=DAY, slices=100, low=0.0, high=500.0, **texts):
    """A series that is usable unless a tag says otherwise; `name` tells it in assertions."""
    name = texts.pop("name", modality)
    defaults = {
        "modality": modality, "sop_class": PET_STORAGE if modality == "PT" else CT_STORAGE, "image_type": "ORIGINAL\\PRIMARY",
        "series_type": "WHOLE BODY\\IMAGE", "corrected": "NORM\\ATTN" if modality == "PT" else "",
        "attenuation_corrected": "", "frame_uid": "1.1", "study_uid": "1", "series_uid": f"2.{name}", "series_number": "1",
        "kernel": "B30f", "description": "",
    }  # fmt: skip
    made = Series({**defaults, **texts}, texts.get("image_type", "").endswith("LOCALIZER"))
    made.slices, made.low, made.high, made.start = slices, low, high, start
    made.orientations, made.sizes, made.files = {(1, 0, 0, 0, 1, 0)}, {(128, 128, (4.0, 4.0))}, [f"{name}/1"]
    return made


def chosen(*all_series, wishes=None, **options):
    found = choose(Person("p", list(all_series)), wishes or Wishes(), **options)
    names = [None if one is None else one.uid.removeprefix("2.") for one in (found.pet, found.ct)]
    return (*names, found)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"corrected": "NORM"}),
        ({}, {"attenuation_corrected": "NO"}),
        ({}, {"image_type": "DERIVED\\PRIMARY"}),
        ({}, {"image_type": "DERIVED\\SECONDARY\\MIP", "slices": 900}),
        ({}, {"series_type": "DYNAMIC\\IMAGE", "slices": 900}),
        ({}, {"series_type": "GATED\\IMAGE", "slices": 900}),
        ({}, {"sop_class": "1.2.840.10008.5.1.4.1.1.7", "slices": 900}),
        ({}, {"slices": 3}),
        ({"high": 1000.0, "slices": 100}, {"high": 500.0, "slices": 200}),
        ({"high": 960.0, "slices": 200}, {"high": 1000.0, "slices": 100}),
        ({"slices": 200}, {"slices": 100}),
        ({}, {"start": DAY + datetime.timedelta(minutes=5)}),
        ({"series_number": "2"}, {"series_number": "11"}),
    ],
)
def test_pet(better, worse):
    one, two = series(name="better", **better), series(name="worse", **worse)
    for order in ((one, two), (two, one)):
        assert chosen(*order, series("CT"))[0] == "better"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"frame_uid": "1.2", "slices": 900}),
        ({}, {"frame_uid": "", "study_uid": "other", "slices": 900}),
        ({}, {"start": DAY - datetime.timedelta(days=2), "slices": 900}),
        ({}, {"image_type": "ORIGINAL\\PRIMARY\\LOCALIZER", "slices": 900}),
        ({}, {"image_type": "DERIVED\\SECONDARY\\REFORMATTED", "slices": 900}),
        ({"slices": 100}, {"high": 200.0, "slices": 900}),
        ({"kernel": "B30f", "slices": 100}, {"kernel": "B70f", "slices": 900}),
        ({"kernel": "B30f", "slices": 100}, {"kernel": "", "slices": 900}),
        ({"kernel": "", "slices": 100}, {"kernel": "LUNG", "slices": 900}),
        ({"slices": 200}, {"slices": 100}),
        ({"start": DAY - datetime.timedelta(minutes=5)}, {"start": DAY - datetime.timedelta(hours=1)}),
    ],
)
def test_ct(better, worse):
    one, two = series("CT", name="better", **better), series("CT", name="worse", **worse)
    for order in ((one, two), (two, one)):
        assert chosen(series(), *order)[1] == "better"


def test_preference_goes_before_extent_but_not_before_what_is_possible():
    wishes = Wishes(prefer_pet="earl", prefer_ct="venous|portal")
    pets = [series(name="long", high=900.0), series(name="earl", description="PET EARL 2")]
    cts = [series("CT", name="fine", slices=900), series("CT", name="venous", description="CT Abd Venous", slices=50)]
    assert chosen(*pets, *cts, wishes=wishes)[:2] == ("earl", "venous")
    pets[1].texts["corrected"] = "NORM"
    assert chosen(*pets, *cts, wishes=wishes)[0] == "long"


def test_time_points():
    def at(days):
        return series(name=f"d{days}", start=DAY + datetime.timedelta(days=days))

    pets, ct = [at(0), at(60), at(120)], [series("CT", start=DAY + datetime.timedelta(days=k)) for k in (0, 60, 120)]
    pet, _, found = chosen(*pets, *ct)
    assert pet is None
    assert found.pet_reason == "PET on 3 days (day 0, 60, 120) and no date of therapy to choose by"
    assert chosen(*pets, *ct, wishes=Wishes(time_point="first"))[0] == "d0"
    assert chosen(*pets, *ct, wishes=Wishes(time_point="last"))[0] == "d120"
    for days, expected in ((0, "d0"), (59, "d0"), (60, "d60"), (400, "d120")):
        pet, _, found = chosen(*pets, *ct, therapy=(DAY + datetime.timedelta(days=days)).date())
        assert pet == expected
        assert found.days_to_therapy == days - int(expected[1:])
    assert any("280 days before therapy" in note for note in found.notes)
    pet, _, found = chosen(*pets, *ct, therapy=(DAY - datetime.timedelta(days=9)).date())
    assert pet is None
    assert found.pet_reason == "no PET before therapy (the first is 9 days after its start)"
    # The date of therapy goes before the wish.
    early = (DAY + datetime.timedelta(days=1)).date()
    assert chosen(*pets, *ct, wishes=Wishes(time_point="last"), therapy=early)[0] == "d0"


def test_ct_follows_the_pet_in_time():
    later = DAY + datetime.timedelta(days=90)
    both = [
        series(name="a"),
        series(name="b", start=later),
        series("CT", name="ct a"),
        series("CT", name="ct b", start=later),
    ]
    assert chosen(*both, therapy=later.date())[:2] == ("b", "ct b")
    assert chosen(*both, therapy=DAY.date())[:2] == ("a", "ct a")


def test_a_ct_alone():
    assert chosen(series("CT"))[1] == "CT"
    two = [series("CT"), series("CT", name="other", study_uid="9")]
    assert chosen(*two)[2].ct_reason == "several CT studies and no PET to choose by"
    assert chosen(series("CT"), therapy=datetime.date(2019, 1, 1))[2].ct_reason == "no CT before therapy"


def test_a_draw_is_told():
    _, _, found = chosen(series(name="a"), series(name="b", series_number="2"), series("CT"))
    assert found.notes == [
        "2 PET series are equal by the rules; the first by time and number was taken (--prefer-pet decides)"
    ]
    _, _, found = chosen(series(), series("CT", low=250.0))
    assert found.notes == ["CT covers 50% of the length of the PET"]
    assert (
        chosen(series(), series("CT", low=900.0, high=1000.0))[2].ct_reason
        == "the CT shows no part of what the PET shows"
    )


def test_override():
    pets = [series(name="a"), series(name="nac", corrected="NORM", series_number="7")]
    for name in ("7", "2.nac", "nac", "nac/"):
        pet, _, found = chosen(*pets, series("CT"), override={"pet": name})
        assert pet == "nac"
        assert "PET chosen by the user" in found.notes
    assert chosen(*pets, override={"pet": "99"})[2].pet_reason == "the override names no PET series of this patient"
    pets[0].texts["series_number"] = "7"
    assert "more than one" in chosen(*pets, override={"pet": "7"})[2].pet_reason


def test_reasons_are_counted():
    found = chosen(series(corrected="NORM"), series(corrected="DECY"), series(slices=1))[2]
    assert found.pet_reason == "no usable PET series (1 fewer than 4 slices, 2 not attenuation-corrected)"
    assert found.ct_reason == "no CT series"


def test_tilted_slices_are_axial_and_coronal_ones_are_not():
    tilted, coronal = series("CT"), series("CT")
    tilted.orientations, coronal.orientations = {(1, 0, 0, 0, 0.94, -0.34)}, {(1, 0, 0, 0, 0, -1)}
    assert unusable(tilted) == ""
    assert unusable(coronal) == "not axial"


def test_flaws():
    good = series()
    person = Person("p", [good], damaged=[("damaged", "CT/9"), ("folder", "PT/sub")])
    assert flaws(person, good) == ""
    person.damaged.append(("empty", "PT/7"))
    assert flaws(person, good) == "1 empty file(s) among the PET images: the series may be incomplete"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["B30f", "I31f\\3", "Br40d", "Bf37f", "STANDARD", "FC08", "B", "SOFT"], SOFT),
        (["B70f", "Br64d", "LUNG", "BONEPLUS", "FC52", "YA", "L"], SHARP),
        (["", "custom", "X"], UNKNOWN),
    ],
)
def test_kernels(names, kind):
    assert {name: kernel_kind(name) for name in names} == dict.fromkeys(names, kind)


FDG = {"tracer": "FDG", "target": "glucose", "nuclide": "F-18"}
TATE = {"tracer": "DOTATATE", "target": "SSTR", "nuclide": "Ga-68"}
DOPA = {"tracer": "FDOPA", "target": "amino acids", "nuclide": "F-18"}


def test_the_tracer_goes_before_the_date():
    # SSTR-PET four weeks and FDG-PET one week before therapy.
    therapy = (DAY + datetime.timedelta(days=28)).date()
    tate, fdg = (
        series(name="tate", **TATE),
        series(name="fdg", start=DAY + datetime.timedelta(days=21), slices=900, **FDG),
    )
    cts = [series("CT", start=one.start) for one in (tate, fdg)]
    for order in ((tate, fdg), (fdg, tate)):
        pet, _, found = chosen(*order, *cts, therapy=therapy)
        assert pet == "tate"
        assert found.notes[0] == "PET of 2 tracers (F-18 FDG, Ga-68 DOTATATE): Ga-68 DOTATATE is taken"
    # Without a date of therapy the tracer leaves one day only.
    assert chosen(tate, fdg, *cts)[0] == "tate"
    assert chosen(tate, fdg, *cts, wishes=Wishes(tracers=("FDG",)), therapy=therapy)[0] == "fdg"
    assert chosen(tate, fdg, *cts, wishes=Wishes(tracers=("glucose", "SSTR")), therapy=therapy)[0] == "fdg"


def test_tracers_of_which_none_is_wanted_are_asked_about():
    pets = [series(name="fdg", **FDG), series(name="dopa", start=DAY + datetime.timedelta(days=7), **DOPA)]
    found = chosen(*pets, series("CT"))[2]
    assert found.pet is None
    assert found.pet_reason == "PET of 2 tracers (F-18 FDG, F-18 FDOPA), none of which is in the list of tracers"
    # One alone is taken, and said.
    pet, _, found = chosen(pets[0], series("CT"))
    assert pet == "fdg"
    assert found.notes == ["the PET shows F-18 FDG, which is not in the list of tracers"]


def test_an_sstr_pet_after_therapy_does_not_make_an_fdg_pet_the_pet_in_silence():
    therapy = (DAY + datetime.timedelta(days=7)).date()
    pets = [series(name="fdg", **FDG), series(name="tate", start=DAY + datetime.timedelta(days=60), **TATE)]
    pet, _, found = chosen(*pets, series("CT"), therapy=therapy)
    assert pet == "fdg"
    assert "the PET shows F-18 FDG, which is not in the list of tracers" in found.notes


def test_a_nuclide_stands_for_images_that_name_no_tracer():
    plain, fdg = series(name="plain", nuclide="Ga-68"), series(name="fdg", slices=900, **FDG)
    assert chosen(plain, fdg, series("CT"))[0] == "plain"
    psma = series(name="psma", slices=900, tracer="PSMA", target="PSMA", nuclide="Ga-68")
    assert chosen(plain, psma, series("CT"))[0] == "plain"
    assert chosen(series(name="tate", slices=9, **TATE), plain, series("CT"))[0] == "tate"


def test_a_start_of_therapy_that_is_not_understood_is_no_wish():
    pets = [series(name="a"), series(name="b", start=DAY + datetime.timedelta(days=60))]
    found = chosen(*pets, series("CT"), wishes=Wishes(time_point="last"), therapy_unread=True)[2]
    assert found.pet_reason == "PET on 2 days (day 0, 60) and no date of therapy to choose by"


@pytest.mark.parametrize(
    ("texts", "label", "is_map"),
    [({"description": "Abd nativ"}, "native", False), ({"description": "Thx/Abd portalvenös 3.0"}, "portal venous", False),
     ({"description": "art. Phase"}, "arterial", False), ({"description": "Spätphase"}, "late", False),
     ({"contrast": "Imeron 350"}, "contrast, phase not stated", False), ({"contrast": "NONE"}, "native", False),
     ({}, "phase not stated", False), ({"description": "CT mit Jod"}, "phase not stated", False),
     ({"description": "MonoE 55 keV"}, "phase not stated, virtual", False), ({"description": "VNC"}, "phase not stated, virtual", False),
     ({"image_type": "DERIVED\\PRIMARY\\AXIAL\\IODINE"}, "phase not stated", True), ({"description": "Iodine map"}, "phase not stated", True),
     ({"rescale_type": "MGML"}, "phase not stated", True), ({"rescale_type": "HU"}, "phase not stated", False),
     ({"description": "Z eff"}, "phase not stated", True), ({"contrast": "kein KM"}, "native", False),
     ({"contrast": "w/o"}, "native", False), ({"contrast": "ORAL"}, "phase not stated", False),
     ({"description": "CT without contrast"}, "native", False), ({"description": "Abd 70s delay"}, "portal venous", False)],
)  # fmt: skip
def test_what_a_ct_shows(texts, label, is_map):
    found = ct_kind(texts)
    assert (found.label, found.is_map) == (label, is_map)


def test_images_at_one_place_count_once():
    doubled, good = series("CT", name="doubled", slices=40), series("CT", name="good", slices=21)
    for one, heights in ((doubled, [k / 2 for k in range(40)]), (good, range(21))):
        for height in heights:
            one.positions.append(float(int(height)))
            one.moments.append(1)
    assert places(doubled) == 20
    assert chosen(series(), doubled, good)[1] == "good"


@pytest.mark.parametrize(
    ("changes", "why"),
    [({}, ""), ({"units": "BQML", "dose": "0"}, "no dose"), ({"units": "BQML", "dose": "1e8"}, ""), ({"units": "CPS"}, "values in CPS"),
     ({"units": "CNTS"}, "values in CNTS"), ({"units": "CNTS", "manufacturer": "Philips"}, ""),
     ({"units": "NONE", "manufacturer": "TOSHIBA"}, ""), ({"units": "Dr. Huber"}, "values in a unit without SUV")],
)  # fmt: skip
def test_what_reading_will_stumble_on(changes, why):
    assert trouble(series(**changes)) == why


@pytest.mark.parametrize("shift", [-3000.0, -250.0, 4000.0])
def test_where_the_table_stood_changes_no_choice(shift):
    def here(name, low, high, **texts):
        return series(name=name, low=low + shift, high=high + shift, **texts)

    short, long, almost = (
        here("short", 300, 800, slices=200),
        here("long", 0, 1000),
        here("almost", 30, 990, slices=200),
    )
    for order in ((short, long), (long, short)):
        assert chosen(*order, here("CT", 0, 1000, modality="CT"))[0] == "long"
    pet, ct, found = chosen(
        long, almost, here("CT", 0, 1000, modality="CT"), here("part", 0, 300, modality="CT", slices=900)
    )
    assert (pet, ct) == ("almost", "CT")
    assert [one.uid.removeprefix("2.") for one in found.pet_others] == ["long"]
    # A series of half the length does not stand in for one that cannot be read.
    assert chosen(long, here("half", 0, 500), here("CT", 0, 1000, modality="CT"))[2].pet_others == []


def test_two_series_of_one_other_part_are_one_part():
    """What the first of them shows, the second does not show anew; each other part is taken."""
    best, legs = series(name="best", low=0.0, high=500.0), series(name="legs", low=450.0, high=900.0)
    again = series(name="again", low=470.0, high=890.0)
    head = series(name="head", low=-300.0, high=20.0)
    for order in ([best, legs, again, head], [head, again, legs, best]):
        assert [one.uid for one in other_parts(best, order)] == ["2.legs", "2.head"]
    assert [one.uid for one in other_parts(best, [best, again])] == ["2.again"]
