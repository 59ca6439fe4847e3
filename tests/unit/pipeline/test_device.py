"""The device follows the settings, and what it lacks is said."""

import logging

import pytest

from pipeline.device import DeviceMissing, choose_compute_type


def test_each_device_has_its_usual_number_format() -> None:
    assert choose_compute_type("cuda", {"float16", "float32"}, wanted=None) == "float16"
    assert choose_compute_type("cpu", {"int8", "float32"}, wanted=None) == "int8"


def test_an_old_card_computes_in_its_next_best_format_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        chosen = choose_compute_type("cuda", {"int8_float32", "float32"}, wanted=None)

    assert chosen == "int8_float32"
    assert "no float16" in caplog.text


def test_a_format_that_was_asked_for_is_never_replaced() -> None:
    assert choose_compute_type("cpu", {"int8", "float32"}, wanted="float32") == "float32"
    with pytest.raises(DeviceMissing, match="COMPUTE_TYPE=float16"):
        choose_compute_type("cpu", {"int8", "float32"}, wanted="float16")


def test_a_device_without_any_known_format_stops_the_program() -> None:
    with pytest.raises(DeviceMissing):
        choose_compute_type("cuda", {"int16"}, wanted=None)
