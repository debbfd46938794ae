"""Names of the pipeline are still found in the room of the reader, with a warning."""

import pytest

from prrt_estimators import dicom, ingest


@pytest.mark.parametrize("name", ingest.__all__)
def test_former_names_warn(name):
    with pytest.warns(FutureWarning, match="prrt_estimators.ingest"):
        found = getattr(dicom, name)
    assert found is getattr(ingest, name)


def test_other_names_are_absent():
    with pytest.raises(AttributeError, match="Unheard"):
        dicom.Unheard  # noqa: B018
