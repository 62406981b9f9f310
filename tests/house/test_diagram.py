"""The picture in ARCHITECTURE.md is that of the table."""

from tests.house.diagram import BEGIN, END, PAGE, with_picture


def test_the_picture_is_fresh() -> None:
    """Stale? `make picture` draws it again."""
    page = PAGE.read_text()

    assert BEGIN in page
    assert END in page
    assert page == with_picture(page)
