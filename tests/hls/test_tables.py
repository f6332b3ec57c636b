from m3vit.hls.tables import TABLES, tables_text


def test_the_header_holds_the_contracts_tables() -> None:
    assert TABLES.read_text() == tables_text()
