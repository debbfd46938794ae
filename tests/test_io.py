import os
import stat

import pytest

from prrt_estimators._io import atomic_write


def test_a_file_is_whole_or_as_before(tmp_path):
    target = tmp_path / "new" / "table.csv"
    with atomic_write(target) as temporary:
        temporary.write_text("one")
        assert temporary.suffix == ".csv"
        assert not target.exists()
    assert target.read_text() == "one"
    with pytest.raises(FileNotFoundError), atomic_write(target) as temporary:
        temporary.write_text((tmp_path / "no such source").read_text())
    assert target.read_text() == "one"
    assert [file.name for file in target.parent.iterdir()] == ["table.csv"]


def test_permissions_follow_the_user_s_own(tmp_path):
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("x")
    (tmp_path / "b").write_text("x")
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in "ab"]
    assert modes[0] == modes[1]
