"""Tags in messages and tags that are read are those of the standard, one by one."""

from __future__ import annotations

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from prrt_estimators.dicom._elements import TAGS, text


def test_tags_that_messages_name_are_those_of_the_standard():
    assert len(TAGS) > 20
    of_the_standard = {keyword: str(Tag(tag_for_keyword(keyword))).replace(" ", "").lower() for keyword in TAGS}
    assert {keyword: tag.lower() for keyword, tag in TAGS.items()} == of_the_standard


def test_one_value_that_is_repeated_is_that_value():
    header = Dataset()
    header.add_new("SeriesDescription", "LO", ["legs", "legs"])
    header.add_new("StationName", "SH", ["one", "two"])
    assert text(header, "SeriesDescription") == "legs"
    assert text(header, "StationName") == "['one', 'two']"
    assert text(header, "Modality") == ""
