"""The tags of the workspace: figures, moments, differences, fields and blocks."""

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django import forms
from django.template import Context, Template

from frameworks.templatetags import cutline

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def render(source, **context):
    return Template("{% load cutline %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        ("", "–"),
        (0, "0"),
        (11862, "11,862"),
        (Decimal("1234567.50"), "1,234,567.5"),
        (Decimal("1E+6"), "1,000,000"),
        (-7, "−7"),
        ("not a number", "not a number"),
        ("NaN", "NaN"),
    ],
)
def test_number_any_value_is_grouped(value, expected):
    assert cutline.number(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(133, "+133"), (-1700, "−1,700"), (0, "0"), (None, "–")])
def test_signed_change_carries_its_sign(value, expected):
    assert cutline.signed(value) == expected


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        (86400, "USD", "$86,400"),
        (Decimal("86400.00"), "", "$86,400"),
        (Decimal("1200.5"), "CHF", "CHF\u00a01,200.50"),
        (-50, "EUR", "−€50"),
        (None, "USD", "–"),
    ],
)
def test_money_amount_is_written_in_its_currency(value, currency, expected):
    assert cutline.money(value, currency) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(950, "$950"), (86_400, "$86K"), (499_500_000, "$499.5M"), (3 * 10**9, "$3.0B"), (None, "–")],
)
def test_money_short_amount_is_scaled(value, expected):
    assert cutline.money_short(value) == expected


@pytest.mark.parametrize(
    ("value", "whole", "expected"),
    [
        (Decimal("0.965"), None, "96.5\u00a0%"),
        (359, 11862, "3.0\u00a0%"),
        (1, 4, "25\u00a0%"),
        (1, 0, "–"),
        (None, 5, "–"),
    ],
)
def test_share_part_of_whole_is_in_per_cent(value, whole, expected):
    assert cutline.share(value, whole) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("Tomas Ekberg", "TE"), ("ana", "A"), ("Maria del Mar Ruiz", "MR"), ("", "?"), (None, "?")]
)
def test_initials_name_gives_first_and_last(name, expected):
    assert cutline.initials(name) == expected


@pytest.mark.parametrize(
    ("rank", "of", "expected"),
    [(1, 4, "s1"), (4, 4, "s4"), (3, 3, "s3"), (None, 4, "s0"), (0, 4, "s0"), (1, 8, "s1"), (8, 8, "s4"), (5, 8, "s2")],
)
def test_swatch_rank_falls_on_the_ramp(rank, of, expected):
    assert cutline.swatch(rank, of) == expected


def test_digest_long_text_is_cut_and_whole_on_hover():
    assert cutline.digest("abcdef0123456789") == '<code class="mono" title="abcdef0123456789">abcdef012345</code>'
    assert cutline.digest(None) == "–"


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (NOW, "just now"),
        (NOW - dt.timedelta(minutes=18), "18 min ago"),
        (NOW - dt.timedelta(hours=6), "6 h ago"),
        (NOW + dt.timedelta(hours=2), "in 2 h"),
        (NOW - dt.timedelta(days=1), "yesterday"),
        (NOW - dt.timedelta(days=47), "47 days ago"),
        (NOW + dt.timedelta(days=90), "in 3 months"),
        (NOW - dt.timedelta(days=1200), "3 years ago"),
        (dt.date(2026, 11, 27), "in 6 days"),
        ("2026-11-18T12:00:00Z", "3 days ago"),
    ],
)
def test_when_moment_is_told_relative_to_now(value, words):
    assert f">{words}</time>" in cutline.when(value)


@time_machine.travel(NOW, tick=False)
def test_when_moment_keeps_the_exact_instant():
    html = cutline.when(NOW - dt.timedelta(days=3))

    assert html == ('<time datetime="2026-11-18T12:00:00+00:00" title="2026-11-18 12:00:00 UTC">3 days ago</time>')


def test_when_nothing_says_so():
    assert cutline.when(None, absent="never") == "never"
    assert cutline.when("no moment") == "–"


def test_day_moment_is_a_calendar_day():
    assert cutline.day(dt.date(2026, 11, 4)) == "4 Nov 2026"
    assert cutline.day(None) == "–"


@pytest.mark.parametrize(("value", "width"), [(50, "50.0"), (200, "100.0"), (-5, "0.0"), (None, "0")])
def test_bar_value_stays_within_the_rail(value, width):
    assert f'<rect class="fa" width="{width}%"' in cutline.bar(value)


def test_word_diff_marks_only_what_changed():
    html = cutline.word_diff("From 1,000 employees & more", "From 800 employees & more seats")

    assert html == "From <del>1,000</del><ins>800</ins> employees &amp; more <ins>seats</ins>"


def test_word_diff_of_other_words_stands_side_by_side():
    html = cutline.word_diff("The number 164 of all that counts.", "Reworded in version 5.")

    assert html == "<del>The number 164 of all that counts</del><ins>Reworded in version 5</ins>."
    assert cutline.word_diff("a: 1\nb: 2", "c: 1\nd: 2") == "<del>a</del><ins>c</ins>: 1\n<del>b</del><ins>d</ins>: 2"
    assert cutline.word_diff("one two", "one") == "one <del>two</del>"


def test_word_diff_hostile_text_is_escaped():
    assert cutline.word_diff("", "<script>") == "<ins>&lt;script&gt;</ins>"


def test_segment_without_label_is_unassigned_with_its_reason():
    html = render('{% segment None reason="Employees missing" %}')

    assert "Unassigned" in html
    assert "Employees missing" in html


def test_segment_label_is_escaped_and_coloured_by_rank():
    html = render("{% segment label rank=2 of=4 %}", label="<b>x")

    assert 'class="sw s2"' in html
    assert "&lt;b&gt;x" in html


class Request(forms.Form):
    reason = forms.CharField(help_text="Deal Desk reads this.")
    agreed = forms.BooleanField()
    way = forms.ChoiceField(choices=[("a", "A")], widget=forms.RadioSelect, required=False)


def test_field_error_is_tied_to_its_control():
    html = render("{% field form.reason %}", form=Request({}))

    assert 'class="form-control is-invalid"' in html
    assert 'aria-describedby="id_reason_helptext id_reason_error"' in html
    assert 'id="id_reason_error"' in html
    assert 'id="id_reason_helptext"' in html


def test_field_hint_of_the_template_is_tied_to_its_control():
    html = render('{% field form.agreed hint="Once." data_x="1" %}', form=Request())

    assert 'aria-describedby="id_agreed_helptext"' in html
    assert 'data-x="1"' in html
    assert 'for="id_agreed"' in html


def test_field_that_may_stay_empty_says_so_but_no_filter_does():
    form = Request()
    template = "{% load cutline %}{% field form.way %}|{% field form.way is_filter=True %}"

    said, kept_quiet = Template(template).render(Context({"form": form})).split("|")

    assert ("optional" in said, "optional" in kept_quiet) == (True, False)


def test_field_choices_form_a_group_with_a_legend():
    html = render("{% field form.way %}", form=Request())

    assert "<fieldset" in html
    assert "<legend" in html


def test_panel_content_is_kept_and_values_are_escaped():
    html = render(
        "{% panel title chip='Provisional' tone='warn' %}<p>{{ text }}</p>{% endpanel %}", title="A & B", text="<i>"
    )

    assert "<h2>A &amp; B</h2>" in html
    assert "<p>&lt;i&gt;</p>" in html
    assert '<span class="chip warn">Provisional</span>' in html


def test_dialog_posts_with_the_token_of_its_page():
    html = render(
        "{% dialog 'Release the run' id='release' action='/runs/1/release' submit='Release' %}"
        "<p>359 move</p>{% enddialog %}",
        csrf_token="token-of-the-page",
    )

    assert '<form method="post" action="/runs/1/release">' in html
    assert 'value="token-of-the-page"' in html
    assert "<p>359 move</p>" in html


def test_note_and_table_carry_what_screen_readers_need():
    note = render("{% note 'bad' label='Held' url='/runs/1' action='See it' %}held{% endnote %}")
    table = render("{% data_table 'Segments' %}<tbody></tbody>{% enddata_table %}")

    assert '<section class="note bad" aria-label="Held">' in note
    assert '<a class="nw" href="/runs/1">See it</a>' in note
    assert "<caption>Segments</caption>" in table


@pytest.mark.parametrize(
    ("verdict", "words"), [(True, "true: "), (False, "false: "), ("unknown", "unknown: "), (None, "not reached: ")]
)
def test_verdict_tree_says_each_verdict_in_words(verdict, words):
    tree = [{"text": "any of", "verdict": verdict, "children": [{"text": "ARR", "verdict": verdict, "value": "$1"}]}]

    html = render("{% include 'components/_verdict.html' with nodes=tree %}", tree=tree)

    assert html.count(f'<span class="visually-hidden">{words}</span>') == 2
