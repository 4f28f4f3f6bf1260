"""The catalogue of bad inputs, row by row: which tests show what each one gets.

Every one of its 70 rows has a test of that very outcome; most stand beside the code that they hold, and are named here.
Those that stand here had no such place.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from shop_folder import HEADER, Shop, account_of, rows

from embedrec.columns import DETAILS, INTERACTIONS

TESTS = Path(__file__).parents[1]
# Row of the catalogue → (what it is, {module: tests}).
CATALOGUE: dict[int, tuple[str, dict[str, str]]] = {
    1: ("empty file", {"locating": "files_that_are_no_table an_empty_optional_table_is_warned_about"}),
    2: ("header only", {"locating": "files_that_are_no_table an_optional_table_without_rows_is_warned_about"}),
    3: ("separators", {"delimited": "separators"}),
    4: (
        "mixed separators, trailing empty columns",
        {
            "delimited": "lines_of_the_wrong_width_are_quarantined_with_their_text trailing_empty_columns_are_dropped "
            "empty_fields_at_the_end_of_some_rows_are_cut_off"
        },
    ),
    5: ("semicolons with decimal commas", {"delimited": "semicolons_with_decimal_commas", "numbers": "spellings"}),
    6: ("byte order mark", {"decoding": "encodings_are_read_and_named"}),
    7: ("UTF-16", {"decoding": "encodings_are_read_and_named utf_16_cut_off_stops"}),
    8: ("latin-1", {"decoding": "encodings_are_read_and_named an_encoding_that_is_not_sure_stops"}),
    9: ("lines in another encoding", {"decoding": "single_lines_in_another_encoding_are_quarantined"}),
    10: ("line ends", {"delimited": "line_ends_and_a_missing_last_one"}),
    11: ("last line cut off", {"delimited": "a_last_line_cut_off_is_quarantined"}),
    12: ("no header", {"layout": "a_missing_header_shows_the_first_row"}),
    13: (
        "title lines, two headers",
        {"layout": "lines_above_the_header_are_left_out a_repeated_header_is_left_out_and_counted"},
    ),
    14: (
        "duplicate column",
        {"delimited": "two_columns_of_one_name_stop", "guarded": "two_parquet_columns_of_one_name_are_refused"},
    ),
    15: ("synonyms", {"headers": "headers_by_name_and_synonym two_headers_for_one_column_are_settled_by_the_settings"}),
    16: ("required column missing", {"headers": "a_missing_column_names_file_columns_nearest_and_setting"}),
    17: ("unknown column", {"catalogue": "row_17_an_unknown_column_is_listed_and_unused"}),
    18: (
        "an extra field, an unnamed index",
        {"delimited": "ids_are_never_shifted_by_an_extra_field a_leading_counter_without_a_name_is_ignored"},
    ),
    19: ("short or long rows", {"delimited": "lines_of_the_wrong_width_are_quarantined_with_their_text"}),
    20: ("stray quote", {"stray_quotes": "every_swallowed_line_is_read_and_quarantined"}),
    21: ("quoted newline", {"delimited": "line_breaks_in_quotes_are_kept_and_lines_still_counted"}),
    22: ("NUL bytes", {"ids": "what_is_no_id", "reading": "texts_with_a_nul_or_without_end_are_quarantined"}),
    23: ("a workbook named .csv", {"locating": "files_that_are_no_table", "guarded": "other_archives_are_refused"}),
    24: ("gz, one-file zip", {"reading": "gzip_reads_the_same", "guarded": "a_zip_of_one_file_reads_the_same"}),
    25: ("many-file zip", {"guarded": "other_archives_are_refused"}),
    26: ("bomb", {"guarded": "bombs_are_refused_in_little_memory"}),
    27: (
        "truncated gz or parquet",
        {"guarded": "a_cut_file_names_where_it_ends nothing_is_unpickled", "reading": "parquet_types"},
    ),
    28: (
        "device, URL, link out",
        {
            "locating": "urls_and_devices_are_refused pipes_and_sockets_are_refused "
            "a_link_out_of_the_folder_is_not_followed"
        },
    ),
    29: ("file changes while read", {"guarded": "a_file_that_changes_while_it_is_read"}),
    30: ("same file twice", {"locating": "one_file_for_two_tables the_same_file_under_two_names"}),
    31: ("more rows than memory", {"guarded": "a_file_that_will_not_fit_is_refused_before_it_is_read"}),
    32: ("'007' and '7'", {"ids": "leading_zeros_and_long_numbers_are_kept"}),
    33: ("101.0", {"ids": "point_zero_is_repaired_where_one_to_one"}),
    34: (
        "ids above 2^53",
        {"ids": "leading_zeros_and_long_numbers_are_kept float_columns", "reading": "parquet_types"},
    ),
    35: ("'NA' as id", {"ids": "missing_looking_ids_are_ids_and_noted"}),
    36: ("spaces, invisible characters, NFD", {"ids": "spaces_and_invisible_characters_go_and_collisions_are_listed"}),
    37: ("empty id", {"reading": "rows_without_a_product_are_quarantined_without_a_customer_set_aside"}),
    38: ("int and text ids mixed", {"catalogue": "row_38_ids_of_figures_and_of_letters_stand_in_one_column"}),
    39: ("1.0E+05", {"ids": "what_is_no_id"}),
    40: ("id longer than 256", {"ids": "what_is_no_id"}),
    41: ("unknown product", {"reading": "ids_in_one_table_only_are_kept_and_counted details_of_other_products_stop"}),
    42: ("product nobody touched", {"reading": "ids_in_one_table_only_are_kept_and_counted"}),
    43: ("the same product twice", {"reading": "the_last_row_of_a_product_or_customer_wins"}),
    44: ("… with another price", {"reading": "conflicting_products_are_shown_up_to_a_few"}),
    45: ("customer in one table only", {"catalogue": "row_45_a_customer_in_one_table_only_is_kept_and_counted"}),
    46: ("'$1,299.00'", {"numbers": "spellings a_comma_or_point_that_could_be_either_stops"}),
    47: ("negative price", {"reading": "quantities_and_prices"}),
    48: ("NaN, inf, 1e400", {"numbers": "missing_and_bad_cells_are_told_apart float_columns"}),
    49: (
        "0 or 1e12",
        {
            "reading": "extreme_prices_and_quantities_are_kept_and_counted",
            "features/test_customer_features": "one_absurd_value_is_clipped",
        },
    ),
    50: ("rating 0", {"reading": "ratings_outside_the_scale"}),
    51: ("rating above 5", {"reading": "ratings_outside_the_scale too_many_ratings_outside_the_scale_stop"}),
    52: ("'4,5', '4/5'", {"reading": "ratings_outside_the_scale"}),
    53: ("unknown event", {"reading": "a_few_unknown_events_are_quarantined foreign_event_names_need_a_map"}),
    54: (
        "quantity, returns",
        {
            "reading": "what_is_no_number_of_pieces_is_quarantined quantities_and_prices",
            "returns": "a_return_takes_back_what_was_bought_last",
        },
    ),
    55: ("30 Feb", {"dates": "what_is_no_date", "reading": "a_bad_date_among_many_rows_is_quarantined"}),
    56: ("DD/MM and MM/DD", {"dates": "the_column_votes_on_day_and_month day_and_month_undecided_stop"}),
    57: ("two date forms", {"dates": "each_separator_votes_for_itself"}),
    58: ("time zones", {"dates": "forms dates_without_a_zone_among_zoned_ones_are_counted"}),
    59: ("epochs", {"dates": "forms", "catalogue": "row_59_seconds_and_milliseconds_stand_in_one_column"}),
    60: (
        "future, before 1995",
        {
            "dates": "missing_and_outlying_dates_say_so",
            "reading": "a_date_in_the_future_does_not_move_the_end_of_the_data",
        },
    ),
    61: ("emoji, RTL", {"reading": "texts_are_one_spelling_without_control_characters"}),
    62: ("text over 64 kB", {"reading": "texts_with_a_nul_or_without_end_are_quarantined"}),
    63: ("markup", {"catalogue": "row_63_markup_and_formulas_are_kept", "app/test_page": "hostile_text_is_escaped"}),
    64: (
        "formulas",
        {"catalogue": "row_63_markup_and_formulas_are_kept", "test_spreadsheets": "texts numbers_stay_numbers"},
    ),
    65: (
        "terminal escapes",
        {
            "headers": "a_header_that_drives_a_terminal_is_escaped_wherever_it_is_named",
            "reading": "texts_are_one_spelling_without_control_characters",
        },
    ),
    66: (
        "empty category",
        {
            "reading": "category_words_for_nothing",
            "serving/test_recommender": "products_without_a_category_can_be_chosen",
        },
    ),
    67: ("one category per row", {"reading": "a_category_of_its_own_for_nearly_each_product_is_warned_about"}),
    68: (
        "exact duplicates",
        {"reading": "exact_duplicates_are_counted_once a_line_may_repeat_within_a_numbered_order"},
    ),
    69: (
        "small or lopsided shops",
        {
            "experiment/test_small_shops": "purchases_of_one_moment one_purchase_each one_customer one_product "
            "everybody_bought_everything no_usable_purchase"
        },
    ),
    70: (
        "one customer with a million events",
        {"busiest": "a_customer_with_more_events_than_the_cap_keeps_the_last_ones"},
    ),
}


@pytest.mark.parametrize("row", range(1, 71), ids=lambda row: f"row_{row:02d}")
def test_every_row_of_the_catalogue_has_its_tests(row: int) -> None:
    for module, tests in CATALOGUE[row][1].items():
        known = names_in(module if "test_" in module else f"tables/test_{module}")
        assert {f"test_{test}" for test in tests.split()} <= known


@cache
def names_in(module: str) -> frozenset[str]:
    tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_row_17_an_unknown_column_is_listed_and_unused(shop: Shop) -> None:
    tables = shop.read("customer_id,product_id,purchase_date,till,voucher\nC1,P1,2024-01-05,3,x\n")
    assert account_of(tables).notes == ("columns not used: 'till', 'voucher'",)
    assert not {"till", "voucher"} & {*tables.events, *tables.products, *tables.customers}


def test_row_38_ids_of_figures_and_of_letters_stand_in_one_column(shop: Shop) -> None:
    tables = shop.read(HEADER + "101,P1,2024-01-05\nC7,202,2024-01-06\n")
    assert tables.events[["customer_id", "product_id"]].to_numpy().tolist() == [["101", "P1"], ["C7", "202"]]


def test_row_45_a_customer_in_one_table_only_is_kept_and_counted(shop: Shop) -> None:
    tables = shop.read(HEADER + rows(3), interactions="customer_id,page_views\nC0,5\nC1,6\nC8,7\nC9,8\n")
    assert tables.customers["customer_id"].tolist() == ["C0", "C1", "C8", "C9"]
    assert tables.events["customer_id"].tolist() == ["C0", "C1", "C2"]
    notes = account_of(tables, INTERACTIONS).notes
    assert "1 purchases have a customer_id that is not in this table: kept without attributes" in notes
    assert "2 rows have a customer_id without a purchase: kept" in notes


def test_row_59_seconds_and_milliseconds_stand_in_one_column(shop: Shop) -> None:
    tables = shop.read(
        "customer_id,product_id,timestamp\nC1,P1,1709622489\nC2,P1,1709622489000\nC3,P1,1709622489000000\n"
    )
    assert set(tables.events["purchase_date"].astype(str)) == {"2024-03-05 07:08:09"}
    assert "timestamp: dates read as time since 1970-01-01 UTC" in account_of(tables).notes


def test_row_63_markup_and_formulas_are_kept(shop: Shop) -> None:
    texts = ["<script>alert(1)</script>", "<img onerror=x>", "javascript:x", "=cmd()", "+1", "-1", "@SUM(A1)"]
    details = "product_id,category\n" + "".join(f"P{i},{text}\n" for i, text in enumerate(texts))
    tables = shop.read(HEADER + "C1,P0,2024-01-05\n", details)
    assert tables.products["category"].tolist() == texts
    assert account_of(tables, DETAILS).used == len(texts)
