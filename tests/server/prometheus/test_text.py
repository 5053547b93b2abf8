from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from vstats_server.prometheus.text import LONGEST_VALUE, Families, label

PRINTABLE = st.text(
    alphabet=st.characters(exclude_categories=("C", "Z")) | st.sampled_from(' \n\\"{}=,'),
    max_size=LONGEST_VALUE,
)


def parsed(families: Families) -> list:
    text = b"".join(families.chunks()).decode()
    return list(text_string_to_metric_families(text))


@given(PRINTABLE, st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 2**64 - 1))
def test_what_is_written_is_what_prometheus_reads(value, number):
    families = Families()
    families.declare("vstats_x", "gauge", "About.")
    families.add("vstats_x", label("name", value), number)

    (family,) = parsed(families)

    (sample,) = family.samples
    assert (sample.labels, float(sample.value)) == ({"name": value}, float(number))


@given(st.text(max_size=40))
def test_no_text_breaks_a_line_or_its_quotes(value):
    families = Families()
    families.declare("vstats_x", "gauge", value)
    families.add("vstats_x", label("name", value), 1)

    (family,) = parsed(families)

    assert len(family.samples) == 1


def test_control_characters_and_direction_marks_become_question_marks():
    assert label("name", "a\x00b\x1b[31m\u202ec\r") == 'name="a?b?[31m?c?"'


def test_a_label_of_ten_thousand_characters_is_cut():
    assert label("name", "x" * 10_000) == f'name="{"x" * LONGEST_VALUE}…"'


def test_a_family_is_in_one_piece_however_its_samples_came():
    families = Families()
    for name in ("vstats_b", "vstats_a", "vstats_c"):
        families.declare(name, "gauge", "About.\nMore \\ of it.")
    for number in range(2):
        for name in ("vstats_a", "vstats_b"):
            families.add(name, label("host", str(number)), number)

    assert [chunk.decode() for chunk in families.chunks()] == [
        f"# HELP {name} About.\\nMore \\\\ of it.\n# TYPE {name} gauge\n"
        f'{name}{{host="0"}} 0\n{name}{{host="1"}} 1\n'
        for name in ("vstats_a", "vstats_b")
    ]


def test_a_histogram_counts_upwards():
    families = Families()
    families.declare("vstats_lag_seconds", "histogram", "About.")
    families.add_histogram("vstats_lag_seconds", (0.5, 1.0), [3, 0, 2], 7.5)

    (chunk,) = families.chunks()

    assert chunk.decode().splitlines()[2:] == [
        'vstats_lag_seconds_bucket{le="0.5"} 3',
        'vstats_lag_seconds_bucket{le="1.0"} 3',
        'vstats_lag_seconds_bucket{le="+Inf"} 5',
        "vstats_lag_seconds_sum 7.5",
        "vstats_lag_seconds_count 5",
    ]
