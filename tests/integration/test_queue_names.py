"""What the broker remembers of programs that were killed is bounded."""

import redis

from jobs.queue_names import QueueNames


def test_names_of_workers_that_were_killed_are_forgotten_when_there_are_too_many(
    valkey: "redis.Redis",
) -> None:
    pidbox, answers = "_kombu.binding.celery.pidbox", "_kombu.binding.reply.celery.pidbox"
    valkey.sadd(pidbox, *(f"\x06\x16\x06\x16w{number}@x.celery.pidbox" for number in range(5)))
    valkey.sadd(answers, "a\x06\x16\x06\x16a.reply", "b\x06\x16\x06\x16b.reply")
    valkey.rpush("a.reply", "nobody reads this")

    QueueNames(valkey).forget_surplus(most=5)
    enough = valkey.scard(pidbox)
    QueueNames(valkey).forget_surplus(most=1)

    assert enough == 5
    assert not valkey.exists(pidbox, answers, "a.reply")
