from worker.memory import gpu, rss_bytes


def test_a_process_says_how_much_it_holds() -> None:
    before = rss_bytes()
    held = bytearray(b"x") * 100_000_000
    after = rss_bytes()

    assert before is not None
    assert after is not None
    assert 0.9 * len(held) < after - before < 1.5 * len(held)


def test_the_cpu_is_no_card() -> None:
    assert gpu("cpu") is None
